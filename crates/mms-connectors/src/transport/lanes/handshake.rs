//! The messages that prove who signs in. What is in them is the business of `sspi`.

use sspi::{
    AuthIdentityBuffers, BufferType, ClientRequestFlags, DataRepresentation, InitializeSecurityContextResult,
    Ntlm, SecurityBuffer, Sspi as _, SspiImpl as _,
};
use url::Url;

use super::SignInError;
use crate::transport::SecretText;

/// An account of a Windows domain, and how it signs in.
#[derive(Debug, Clone)]
pub enum WindowsAccount {
    /// By NTLM version 2.
    Ntlm {
        /// `EXAMPLE\mms` or `mms@example.org`.
        user: String,
        /// The password.
        password: SecretText,
    },
}

impl WindowsAccount {
    /// Who signs in, for messages.
    pub(super) fn user(&self) -> &str {
        match self {
            Self::Ntlm { user, .. } => user,
        }
    }

    /// What HTTP calls it.
    pub(super) fn scheme(&self) -> &'static str {
        match self {
            Self::Ntlm { .. } => "NTLM",
        }
    }

    /// What people call it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Ntlm { .. } => "NTLM",
        }
    }
}

/// The sign-in of one connection.
pub(super) struct Handshake<'a> {
    url: &'a Url,
    context: Ntlm,
    identity: Option<AuthIdentityBuffers>,
    made: usize,
}

impl<'a> Handshake<'a> {
    /// A sign-in that is bound to the TLS of its connection where there is any.
    pub(super) fn new(
        account: &WindowsAccount,
        url: &'a Url,
        binding: Option<&[u8]>,
    ) -> Result<Self, SignInError> {
        let WindowsAccount::Ntlm { user, password } = account;
        // A user principal name goes as it is, without a domain.
        let (domain, name) = user.split_once('\\').unwrap_or(("", user));
        let mut context = Ntlm::new();
        if let Some(binding) = binding {
            context.set_channel_bindings(binding);
        }
        let identity = Some(AuthIdentityBuffers::from_utf8(name, domain, password.expose()));
        Ok(Self { url, context, identity, made: 0 })
    }

    /// Whether the message that was made last is the proof.
    pub(super) fn proves(&self) -> bool {
        self.made > 1
    }

    /// The next message: the first one, or the one that answers what the server gave.
    pub(super) async fn step(&mut self, given: Option<Vec<u8>>) -> Result<Vec<u8>, SignInError> {
        let mut input = vec![SecurityBuffer::new(given.unwrap_or_default(), BufferType::Token)];
        let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        self.advance(&mut input, &mut output)
            .map_err(|error| SignInError::unusable(self.url, error.description))?;
        self.made += 1;
        let message = output.into_iter().next().map(|buffer| buffer.buffer).unwrap_or_default();
        if message.is_empty() {
            Err(SignInError::unusable(self.url, "it ends too early"))
        } else {
            Ok(message)
        }
    }

    fn advance(
        &mut self,
        input: &mut [SecurityBuffer],
        output: &mut [SecurityBuffer],
    ) -> sspi::Result<InitializeSecurityContextResult> {
        let mut builder = self
            .context
            .initialize_security_context()
            .with_credentials_handle(&mut self.identity)
            .with_context_requirements(ClientRequestFlags::empty())
            .with_target_data_representation(DataRepresentation::Native)
            .with_input(input)
            .with_output(output);
        self.context.initialize_security_context_impl(&mut builder)?.resolve_to_result()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account() -> WindowsAccount {
        WindowsAccount::Ntlm { user: "EXAMPLE\\mms".to_owned(), password: SecretText::new("s3cret") }
    }

    async fn answer_to(given: Vec<u8>) -> Result<Vec<u8>, SignInError> {
        let url = Url::parse("http://mail.x.test/").unwrap();
        let mut handshake = Handshake::new(&account(), &url, Some(b"tls-server-end-point:x")).unwrap();
        assert!(handshake.step(None).await.unwrap().starts_with(b"NTLMSSP\0\x01"));
        assert!(!handshake.proves());
        let answer = handshake.step(Some(given)).await?;
        assert!(handshake.proves());
        Ok(answer)
    }

    /// Head, flags, nonce, target information of `info`.
    fn challenge(flags: u32, info: &[u8]) -> Vec<u8> {
        let mut message = b"NTLMSSP\0\x02\0\0\0\0\0\0\0\x38\0\0\0".to_vec();
        message.extend(flags.to_le_bytes());
        message.extend(*b"12345678\0\0\0\0\0\0\0\0");
        let length = u16::try_from(info.len()).unwrap().to_le_bytes();
        message.extend([length, length].concat());
        message.extend([56, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 15]);
        message.extend(info);
        message
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_an_error(given in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = futures_util::FutureExt::now_or_never(answer_to(given));
        }

        #[test]
        fn a_challenge_with_anything_in_it_is_an_answer_or_an_error(
            flags in any::<u32>(),
            info in proptest::collection::vec(any::<u8>(), 0..80),
            cut in 0..140usize,
            wrong in (0..140usize, any::<u8>()),
        ) {
            let mut given = challenge(flags, &info);
            given.truncate(given.len().max(cut) - cut);
            if let Some(byte) = given.get_mut(wrong.0) {
                *byte = wrong.1;
            }
            let _ = futures_util::FutureExt::now_or_never(answer_to(given));
        }
    }

    #[tokio::test]
    async fn a_challenge_is_answered_and_secrets_are_not_printed() {
        let answer = answer_to(challenge(0x0a02_8205, &[0; 4])).await.unwrap();
        assert!(answer.starts_with(b"NTLMSSP\0\x03"));
        assert!(!format!("{:?}", account()).contains("s3cret"));
    }
}
