//! What changed in a text, line by line.

use std::fmt::Write as _;

use crate::output::{Style, printable};

/// Lines of context around a change.
const CONTEXT: usize = 2;

/// Between the common beginning and end, texts with more pairs of lines than this are shown as
/// replaced whole; finding their common lines would take too long.
const MOST_PAIRS: usize = 4_000_000;

/// The changed lines of `before` and `after` with a little around them; empty where nothing changed.
pub fn lines(before: &str, after: &str, style: Style) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let edits = edits(&old, &new);
    let is_near = |at: usize| {
        let from = at.saturating_sub(CONTEXT);
        edits.iter().skip(from).take(at + CONTEXT + 1 - from).any(|edit| !matches!(edit, Edit::Same(_)))
    };
    let mut text = String::new();
    for (at, edit) in edits.iter().enumerate() {
        let _ = match edit {
            Edit::Same(line) if is_near(at) => writeln!(text, "  {}", printable(line)),
            Edit::Same(_) => Ok(()),
            Edit::Removed(line) => writeln!(text, "{}", style.removed(&format!("- {}", printable(line)))),
            Edit::Added(line) => writeln!(text, "{}", style.added(&format!("+ {}", printable(line)))),
        };
    }
    text
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edit<'a> {
    Same(&'a str),
    Removed(&'a str),
    Added(&'a str),
}

fn edits<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Edit<'a>> {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let mut edits: Vec<Edit<'a>> = old.iter().take(start).map(|line| Edit::Same(line)).collect();
    let old_middle = old.get(start..old.len() - end).unwrap_or_default();
    let new_middle = new.get(start..new.len() - end).unwrap_or_default();
    if old_middle.len().saturating_mul(new_middle.len()) > MOST_PAIRS {
        edits.extend(old_middle.iter().map(|line| Edit::Removed(line)));
        edits.extend(new_middle.iter().map(|line| Edit::Added(line)));
    } else {
        common_subsequence(old_middle, new_middle, &mut edits);
    }
    edits.extend(old.iter().skip(old.len() - end).map(|line| Edit::Same(line)));
    edits
}

/// Walks both texts along their longest common subsequence.
fn common_subsequence<'a>(old: &[&'a str], new: &[&'a str], edits: &mut Vec<Edit<'a>>) {
    let width = new.len() + 1;
    // The length of the longest common subsequence of old[i..] and new[j..], at i * width + j.
    let mut longest = vec![0u32; (old.len() + 1) * width];
    let at = |longest: &[u32], i: usize, j: usize| longest.get(i * width + j).copied().unwrap_or(0);
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            let length = if a == b {
                at(&longest, i + 1, j + 1) + 1
            } else {
                at(&longest, i + 1, j).max(at(&longest, i, j + 1))
            };
            if let Some(cell) = longest.get_mut(i * width + j) {
                *cell = length;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    loop {
        match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if a == b => {
                edits.push(Edit::Same(a));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), b) if b.is_none() || at(&longest, i + 1, j) >= at(&longest, i, j + 1) => {
                edits.push(Edit::Removed(a));
                i += 1;
            }
            (_, Some(b)) => {
                edits.push(Edit::Added(b));
                j += 1;
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_change_and_its_surroundings_are_shown() {
        let before = "a\nb\nc\nold 1\nold 2\nd\ne\nf";
        let after = "a\nb\nc\nnew\nd\ne\nf";
        assert_eq!(lines(before, after, Style::plain()), "  b\n  c\n- old 1\n- old 2\n+ new\n  d\n  e\n");
        assert_eq!(lines(before, before, Style::plain()), "");
        assert_eq!(lines("", "x", Style::plain()), "+ x\n");
        assert_eq!(lines("x\nx", "x", Style::plain()), "  x\n- x\n");
    }

    #[test]
    fn lines_between_two_changes_stay() {
        let before = "old\n1\n2\n3\n4\n5\n6\nold";
        let after = "new\n1\n2\n3\n4\n5\n6\nnew";
        assert_eq!(lines(before, after, Style::plain()), "- old\n+ new\n  1\n  2\n  5\n  6\n- old\n+ new\n");
    }
}
