//! What is wrong with a file of users or addresses, by line.

use std::fmt;

/// How many errors of a file are kept.
const KEPT: usize = 20;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportError {
    /// Line, counted from 1; none where the file as a whole is meant.
    pub line: Option<u64>,
    /// What is wrong there and what to do.
    pub message: String,
}

impl ImportError {
    pub(in crate::directory) fn at(line: u64, message: impl Into<String>) -> Self {
        Self { line: Some(line), message: message.into() }
    }
}

/// Everything that is wrong with a file of users or addresses, in the order in which it was found; the first
/// 20 are kept, the others counted. Printed as `file:line: message`, one to a line.
#[derive(Debug, Clone)]
pub struct ImportErrors {
    file: String,
    kept: Vec<ImportError>,
    more: usize,
}

impl ImportErrors {
    pub(in crate::directory) fn none(file: &str) -> Self {
        Self { file: file.to_owned(), kept: Vec::new(), more: 0 }
    }

    pub(in crate::directory) fn whole_file(file: &str, message: impl Into<String>) -> Self {
        let mut errors = Self::none(file);
        errors.push(ImportError { line: None, message: message.into() });
        errors
    }

    pub(in crate::directory) fn push(&mut self, error: ImportError) {
        if self.kept.len() < KEPT {
            self.kept.push(error);
        } else {
            self.more += 1;
        }
    }

    pub(in crate::directory) fn into_result<T>(mut self, value: T) -> Result<T, Self> {
        if self.kept.is_empty() {
            return Ok(value);
        }
        self.kept.sort_by_key(|e| e.line);
        Err(self)
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The errors that were kept, by line.
    pub fn kept(&self) -> &[ImportError] {
        &self.kept
    }

    /// How many errors there are, kept or not.
    pub fn total(&self) -> usize {
        self.kept.len() + self.more
    }
}

impl fmt::Display for ImportErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.kept.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            match error.line {
                Some(line) => write!(f, "{}:{line}: {}", self.file, error.message)?,
                None => write!(f, "{}: {}", self.file, error.message)?,
            }
        }
        if self.more > 0 {
            write!(f, "\n{}: {} more errors", self.file, self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for ImportErrors {}
