//! What proves that a client knows the password ([MS-NLMP] 3.3.2 and 3.4).

use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::Md4;
use md5::{Digest as _, Md5};

use super::message::utf16;

fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(key) else { return [0; 16] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// `NTOWFv2`.
pub(super) fn ntlm_v2_hash(password: &str, user: &str, domain: &str) -> [u8; 16] {
    let hash: [u8; 16] = Md4::digest(utf16(password)).into();
    hmac_md5(&hash, &[&utf16(&user.to_uppercase()), &utf16(domain)])
}

/// Compares an NTLMv2 response with what it has to be; returns the session's base key.
pub(super) fn verify_response(
    key: &[u8],
    nonce: &[u8; 8],
    response: &[u8],
) -> Result<[u8; 16], &'static str> {
    let Some((proof, rest)) = response.split_at_checked(16).filter(|(_, rest)| rest.len() >= 28) else {
        return Err("the response is none of NTLMv2");
    };
    if hmac_md5(key, &[nonce, rest]) != proof {
        return Err("the password is wrong");
    }
    Ok(hmac_md5(key, &[proof]))
}

/// The integrity code over the three messages.
pub(super) fn mic(key: &[u8; 16], messages: [&[u8]; 3]) -> [u8; 16] {
    hmac_md5(key, &messages)
}

/// The hash of the `gss_channel_bindings_struct` that names a server's certificate.
pub(super) fn channel_binding(end_point: &[u8]) -> [u8; 16] {
    let data = [b"tls-server-end-point:", end_point].concat();
    let mut hash = Md5::new();
    // No addresses: four numbers that are zero.
    hash.update([0; 16]);
    hash.update((data.len() as u32).to_le_bytes());
    hash.update(data);
    hash.finalize().into()
}

/// RC4 over one key's length.
pub(super) fn rc4(key: &[u8; 16], mut data: [u8; 16]) -> [u8; 16] {
    let mut state: [u8; 256] = std::array::from_fn(|n| n as u8);
    let mut j = 0u8;
    for i in 0..=255u8 {
        j = j.wrapping_add(state[usize::from(i)]).wrapping_add(key[usize::from(i % 16)]);
        state.swap(usize::from(i), usize::from(j));
    }
    let (mut i, mut j) = (0u8, 0u8);
    for byte in &mut data {
        i = i.wrapping_add(1);
        j = j.wrapping_add(state[usize::from(i)]);
        state.swap(usize::from(i), usize::from(j));
        let at = state[usize::from(i)].wrapping_add(state[usize::from(j)]);
        *byte ^= state[usize::from(at)];
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap()).collect()
    }

    /// [MS-NLMP] 4.2.4.
    #[test]
    fn the_example_of_the_specification_comes_out() {
        let key = ntlm_v2_hash("Password", "User", "Domain");
        assert_eq!(key.to_vec(), hex("0c868a403bfd7a93a3001ef22ef02e3f"));
        let nonce = *b"\x01\x23\x45\x67\x89\xab\xcd\xef";
        let temp = hex("01010000 00000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000 \
             02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000 00000000");
        let response = [hex("68cd0ab851e51c96aabc927bebef6a1c"), temp].concat();
        let session = verify_response(&key, &nonce, &response).unwrap();
        assert_eq!(session.to_vec(), hex("8de40ccadbc14a82f15cb0ad0de95ca3"));
        assert_eq!(rc4(&session, [0x55; 16]).to_vec(), hex("c5dad2544fc9799094ce1ce90bc9d03e"));
        assert!(verify_response(&key, b"\0\0\0\0\0\0\0\0", &response).is_err());
        assert!(verify_response(&key, &nonce, &response[..43]).is_err());
    }
}
