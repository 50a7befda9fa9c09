//! Originals in the journal: two versions of an event differ in a block, so they are packed as one block, in
//! which the second costs next to nothing.

use lz4_flex::block;
use mms_model::port::StoreError;

/// Bytes of the two lengths before the packed text.
const HEADER: usize = 8;
/// A byte of an LZ4 block stands for at most so many of the text.
const MAX_RATIO: u64 = 255;

/// Packs `original` and `written` into one blob: two lengths (u32, little-endian), then one LZ4 block of both.
pub(crate) fn pack(original: &[u8], written: &[u8]) -> Result<Vec<u8>, StoreError> {
    let length = |bytes: &[u8]| {
        u32::try_from(bytes.len())
            .map_err(|_| StoreError::Database("an event of more than 4 GiB cannot be journalled".to_owned()))
    };
    let lengths = [length(original)?, length(written)?];
    let packed = block::compress(&[original, written].concat());
    let mut blob = Vec::with_capacity(HEADER + packed.len());
    lengths.iter().for_each(|length| blob.extend_from_slice(&length.to_le_bytes()));
    blob.extend_from_slice(&packed);
    Ok(blob)
}

/// Unpacks what [`pack`] made.
pub(crate) fn unpack(blob: &[u8]) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
    let damaged = || {
        StoreError::Database(
            "the store's file is damaged: an original in the journal cannot be read; restore a backup"
                .to_owned(),
        )
    };
    let length = |at: usize| -> Option<usize> {
        let bytes: [u8; 4] = blob.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let (Some(original), Some(written)) = (length(0), length(4)) else { return Err(damaged()) };
    let total = original as u64 + written as u64;
    let packed = blob.get(HEADER..).unwrap_or_default();
    if total > packed.len() as u64 * MAX_RATIO {
        return Err(damaged());
    }
    let mut bytes = block::decompress(packed, original + written).map_err(|_| damaged())?;
    if bytes.len() as u64 != total {
        return Err(damaged());
    }
    let second = bytes.split_off(original);
    Ok((bytes, second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_two_versions_for_the_price_of_one() {
        let original: Vec<u8> =
            (0..20_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).take(20_000).collect();
        let mut written = original.clone();
        written.splice(500..520, *b"https://meet.example/x");
        let one = pack(&original, &[]).unwrap().len();
        let both = pack(&original, &written).unwrap();
        assert!(both.len() < one + one / 4, "{} against {one}", both.len());
        assert_eq!(unpack(&both).unwrap(), (original, written));
        assert_eq!(unpack(&pack(b"", b"").unwrap()).unwrap(), (vec![], vec![]));
    }

    #[test]
    fn damage_is_an_error_and_never_a_bomb() {
        let mut blob = pack(b"BEGIN:VEVENT", b"END:VEVENT").unwrap();
        blob[0] += 1;
        assert!(unpack(&blob).is_err());
        assert!(unpack(&[1, 2, 3]).is_err());
        let mut bomb = pack(&vec![0; 1 << 20], b"").unwrap();
        bomb[..8].copy_from_slice(&[1, 0, 0, 0, 1, 0, 0, 0]);
        assert!(unpack(&bomb).is_err());
        bomb[..8].fill(0xff);
        assert!(unpack(&bomb).is_err());
    }
}
