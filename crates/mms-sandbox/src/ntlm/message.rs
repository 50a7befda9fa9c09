//! The messages of NTLMSSP ([MS-NLMP] 2.2).

use super::proof;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
const UNICODE: u32 = 0x1;
const REQUEST_TARGET: u32 = 0x4;
const SIGN: u32 = 0x10;
const SEAL: u32 = 0x20;
const NTLM: u32 = 0x200;
const ALWAYS_SIGN: u32 = 0x8000;
const TARGET_IS_DOMAIN: u32 = 0x1_0000;
const EXTENDED_SECURITY: u32 = 0x8_0000;
const TARGET_INFO: u32 = 0x80_0000;
const VERSION: u32 = 0x200_0000;
const STRONG: u32 = 0x2000_0000;
const KEY_EXCHANGE: u32 = 0x4000_0000;
const WEAK: u32 = 0x8000_0000;
/// What the server grants where it is asked for.
const GRANTED: u32 = UNICODE | REQUEST_TARGET | SIGN | SEAL | ALWAYS_SIGN | STRONG | KEY_EXCHANGE | WEAK;
/// Windows Server 2016.
const SERVER_VERSION: [u8; 8] = [10, 0, 0x39, 0x38, 0, 0, 0, 15];

/// `MsvAvFlags`.
pub(super) const AV_FLAGS: u16 = 6;
/// `MsvAvChannelBindings`.
pub(super) const AV_CHANNEL_BINDINGS: u16 = 10;

/// The type of a message.
pub(super) fn kind(message: &[u8]) -> Option<u32> {
    (message.get(..8)? == SIGNATURE).then(|| u32_at(message, 8)).flatten()
}

/// A challenge that was sent, and what it answered.
#[derive(Debug)]
pub(super) struct Challenge {
    /// The client's first message, as it came.
    pub(super) received: Vec<u8>,
    /// The challenge, as it was sent.
    pub(super) sent: Vec<u8>,
    pub(super) nonce: [u8; 8],
}

impl Challenge {
    /// Answers a client's first message; none where it is not one.
    pub(super) fn answering(
        received: Vec<u8>,
        domain: &str,
        server: &str,
        dns_domain: &str,
        now: u64,
    ) -> Option<Self> {
        let asked = u32_at(&received, 12)?;
        let flags =
            (asked & GRANTED) | NTLM | TARGET_IS_DOMAIN | EXTENDED_SECURITY | TARGET_INFO | VERSION | UNICODE;
        let nonce = fastrand::u64(..).to_le_bytes();
        let name = utf16(domain);
        let host = format!("{}.{dns_domain}", server.to_lowercase());
        let mut info = Vec::new();
        for (id, text) in [(2, domain), (1, server), (4, dns_domain), (3, host.as_str()), (5, dns_domain)] {
            put_pair(&mut info, id, &utf16(text));
        }
        put_pair(&mut info, 7, &now.to_le_bytes());
        put_pair(&mut info, 0, &[]);
        let mut sent = SIGNATURE.to_vec();
        sent.extend(2u32.to_le_bytes());
        put_field(&mut sent, name.len(), 56);
        sent.extend(flags.to_le_bytes());
        sent.extend(nonce);
        sent.extend([0; 8]);
        put_field(&mut sent, info.len(), 56 + name.len());
        sent.extend(SERVER_VERSION);
        sent.extend(name);
        sent.extend(info);
        Some(Self { received, sent, nonce })
    }
}

/// A client's answer to a challenge.
#[derive(Debug)]
pub(super) struct Authenticate {
    whole: Vec<u8>,
    pub(super) nt_response: Vec<u8>,
    pub(super) domain: String,
    pub(super) user: String,
    session_key: Vec<u8>,
    flags: u32,
}

impl Authenticate {
    pub(super) fn parse(whole: Vec<u8>) -> Option<Self> {
        let text = |at: usize| -> Option<String> { from_utf16(field(&whole, at)?) };
        let (domain, user) = (text(28)?, text(36)?);
        let (nt_response, session_key) = (field(&whole, 20)?.to_vec(), field(&whole, 52)?.to_vec());
        let flags = u32_at(&whole, 60)?;
        Some(Self { nt_response, domain, user, session_key, flags, whole })
    }

    /// The integrity code, and the message with zeros in its place.
    pub(super) fn mic(&self) -> Option<([u8; 16], Vec<u8>)> {
        let at = 72..88;
        let mic = self.whole.get(at.clone())?.try_into().ok()?;
        let mut zeroed = self.whole.clone();
        zeroed.get_mut(at)?.fill(0);
        Some((mic, zeroed))
    }

    /// The key that signs, out of the one that both sides have computed.
    pub(super) fn exported_session_key(&self, session_key: [u8; 16]) -> [u8; 16] {
        match <[u8; 16]>::try_from(self.session_key.as_slice()) {
            Ok(sealed) if self.flags & KEY_EXCHANGE != 0 => proof::rc4(&session_key, sealed),
            _ => session_key,
        }
    }
}

/// The pairs of attributes in an NTLMv2 response: after its proof (16 bytes) and 28 bytes of the client's own.
pub(super) fn pairs_of_response(response: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut rest = response.get(44..)?;
    let mut pairs = Vec::new();
    loop {
        let (id, length) = (u16_at(rest, 0)?, usize::from(u16_at(rest, 2)?));
        if id == 0 {
            return Some(pairs);
        }
        pairs.push((id, rest.get(4..4 + length)?));
        rest = rest.get(4 + length..)?;
    }
}

pub(super) fn pair<'a>(pairs: &[(u16, &'a [u8])], id: u16) -> Option<&'a [u8]> {
    pairs.iter().find(|(found, _)| *found == id).map(|(_, value)| *value)
}

fn put_pair(out: &mut Vec<u8>, id: u16, value: &[u8]) {
    out.extend(id.to_le_bytes());
    out.extend((value.len() as u16).to_le_bytes());
    out.extend(value);
}

/// Length, length again, and where it stands.
fn put_field(out: &mut Vec<u8>, length: usize, at: usize) {
    out.extend((length as u16).to_le_bytes());
    out.extend((length as u16).to_le_bytes());
    out.extend((at as u32).to_le_bytes());
}

fn field(message: &[u8], at: usize) -> Option<&[u8]> {
    let length = usize::from(u16_at(message, at)?);
    let start = usize::try_from(u32_at(message, at + 4)?).ok()?;
    message.get(start..start.checked_add(length)?)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn from_utf16(bytes: &[u8]) -> Option<String> {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).ok()
}
