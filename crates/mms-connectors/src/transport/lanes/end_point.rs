//! The channel binding `tls-server-end-point` (RFC 5929 section 4): the hash of the server's certificate, by which a server
//! with Extended Protection sees that nobody sits in between.

use sha2::{Digest as _, Sha256, Sha384, Sha512};

const PREFIX: &[u8] = b"tls-server-end-point:";
const SHA384_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c];
const SHA512_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d];
const ECDSA_WITH_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
const ECDSA_WITH_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// The binding to a connection whose server showed `certificate` (DER). The hash is the one that the certificate is signed
/// with, but SHA-256 instead of MD5 and SHA-1, and where the signature names none.
pub(super) fn binding(certificate: &[u8]) -> Vec<u8> {
    let hash = match signature_algorithm(certificate) {
        Some(SHA384_WITH_RSA | ECDSA_WITH_SHA384) => Sha384::digest(certificate).to_vec(),
        Some(SHA512_WITH_RSA | ECDSA_WITH_SHA512) => Sha512::digest(certificate).to_vec(),
        _ => Sha256::digest(certificate).to_vec(),
    };
    [PREFIX, &hash].concat()
}

/// `Certificate.signatureAlgorithm.algorithm` (RFC 5280 section 4.1).
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (whole, _) = element(certificate, SEQUENCE)?;
    let (_, after_the_signed_part) = element(whole, SEQUENCE)?;
    let (algorithm, _) = element(after_the_signed_part, SEQUENCE)?;
    element(algorithm, OBJECT_IDENTIFIER).map(|(id, _)| id)
}

/// The content of the element that `der` begins with, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Four bytes are more than any certificate needs.
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[SEQUENCE, 0x82], &length[..], content].concat()
    }

    fn certificate(algorithm: &[u8]) -> Vec<u8> {
        let id = [&[OBJECT_IDENTIFIER, u8::try_from(algorithm.len()).unwrap()], algorithm].concat();
        sequence(&[sequence(&[1; 300]), sequence(&id), vec![3, 1, 0]].concat())
    }

    #[test]
    fn the_hash_is_the_signatures() {
        let sha256_with_rsa = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
        for (algorithm, length) in [
            (&sha256_with_rsa[..], 32),
            (SHA384_WITH_RSA, 48),
            (ECDSA_WITH_SHA384, 48),
            (SHA512_WITH_RSA, 64),
        ] {
            assert_eq!(binding(&certificate(algorithm)).len(), PREFIX.len() + length);
        }
    }

    #[test]
    fn any_bytes_have_a_binding() {
        let whole = certificate(SHA384_WITH_RSA);
        for length in 0..whole.len() {
            binding(&whole[..length]);
        }
        for garbage in [&[][..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 1], &[0x30, 0x80, 0, 0]] {
            assert_eq!(binding(garbage).len(), PREFIX.len() + 32);
        }
    }
}
