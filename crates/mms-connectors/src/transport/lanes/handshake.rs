//! The messages that prove who signs in. What is in them is the business of `sspi`.

use sspi::generator::GeneratorState;
use sspi::{
    AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialsBuffers, DataRepresentation,
    InitializeSecurityContextResult, KdcResolution, Kerberos, KerberosConfig, KeytabIdentity, Ntlm, Secret,
    SecurityBuffer, SecurityStatus, Sspi as _, SspiImpl as _, Username,
};
use url::Url;

use super::account::{Principal, PrincipalKey};
use super::tickets::Answers;
use super::{SignInError, WindowsAccount, kdc, keytab};

/// The sign-in of one connection.
pub(super) enum Handshake<'a> {
    Ntlm(Box<NtlmHandshake<'a>>),
    Kerberos(Box<KerberosHandshake<'a>>),
}

impl<'a> Handshake<'a> {
    /// A sign-in, which by NTLM is bound to the TLS of its connection where there is any. By Kerberos it is not: of
    /// `KERB_AP_OPTIONS_CBT`, four bytes ([MS-KILE] 3.2.5.8), sspi 0.23 writes two, for which MIT's acceptors refuse it.
    pub(super) fn new(
        account: &'a WindowsAccount,
        url: &'a Url,
        binding: Option<&[u8]>,
        kept: Option<Answers>,
    ) -> Result<Self, SignInError> {
        match account {
            WindowsAccount::Ntlm { user, password } => {
                // A user principal name goes as it is, without a domain.
                let (domain, name) = user.split_once('\\').unwrap_or(("", user));
                let mut context = Ntlm::new();
                if let Some(binding) = binding {
                    context.set_channel_bindings(binding);
                }
                let identity = Some(AuthIdentityBuffers::from_utf8(name, domain, password.expose()));
                Ok(Self::Ntlm(Box::new(NtlmHandshake { url, context, identity, made: 0 })))
            }
            WindowsAccount::Kerberos(principal) => {
                let handshake = KerberosHandshake::new(principal, url, kept)?;
                Ok(Self::Kerberos(Box::new(handshake)))
            }
        }
    }

    /// Whether the message that was made last is the proof.
    pub(super) fn proves(&self) -> bool {
        match self {
            Self::Ntlm(handshake) => handshake.made > 1,
            Self::Kerberos(_) => true,
        }
    }

    /// The next message: the first one, or the one that answers what the server gave.
    pub(super) async fn step(&mut self, given: Option<Vec<u8>>) -> Result<Vec<u8>, SignInError> {
        match self {
            Self::Ntlm(handshake) => handshake.step(given),
            Self::Kerberos(handshake) => handshake.ticket().await,
        }
    }

    /// The domain controller's answers, where it was asked.
    pub(super) fn heard(self) -> Option<Vec<Vec<u8>>> {
        match self {
            Self::Ntlm(_) => None,
            Self::Kerberos(handshake) => handshake.has_asked.then_some(handshake.heard),
        }
    }

    /// Takes what the server says along with its answer; with Kerberos, the proof that it is the one that was meant.
    pub(super) async fn end(&mut self, given: Vec<u8>) -> Result<(), SignInError> {
        match self {
            Self::Ntlm(_) => Ok(()),
            Self::Kerberos(handshake) => handshake.verify(given).await,
        }
    }
}

pub(super) struct NtlmHandshake<'a> {
    url: &'a Url,
    context: Ntlm,
    identity: Option<AuthIdentityBuffers>,
    made: usize,
}

impl NtlmHandshake<'_> {
    fn step(&mut self, given: Option<Vec<u8>>) -> Result<Vec<u8>, SignInError> {
        let mut input = vec![SecurityBuffer::new(given.unwrap_or_default(), BufferType::Token)];
        let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        self.advance(&mut input, &mut output).map_err(|error| {
            tracing::debug!(%error, "the challenge cannot be read");
            SignInError::unusable(self.url, "it holds no NTLM challenge that can be read")
        })?;
        self.made += 1;
        message(output).ok_or_else(|| SignInError::unusable(self.url, "it ends too early"))
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

pub(super) struct KerberosHandshake<'a> {
    url: &'a Url,
    principal: &'a Principal,
    context: Kerberos,
    credentials: Option<CredentialsBuffers>,
    service: String,
    /// Answers of the domain controller that are used before it is asked.
    kept: Option<Answers>,
    /// All answers, in their order.
    heard: Vec<Vec<u8>>,
    has_asked: bool,
}

/// Why there is no ticket.
enum NoTicket {
    Unreachable { server: String, detail: String },
    Refused(sspi::Error),
}

impl<'a> KerberosHandshake<'a> {
    fn new(principal: &'a Principal, url: &'a Url, kept: Option<Answers>) -> Result<Self, SignInError> {
        let kdc = principal.kdc.as_ref().map(|kdc| {
            Url::parse(&format!("tcp://{kdc}"))
                .map_err(|_| SignInError::Setup(format!("kdc {kdc} is no host: write dc1.example.org")))
        });
        let config = KerberosConfig {
            kdc_resolution: KdcResolution::KdcUrl(kdc.transpose()?),
            // For the domain controller's log.
            client_computer_name: "mms".to_owned(),
        };
        let context = Kerberos::new_client_from_config(config)
            .map_err(|error| SignInError::Setup(error.description))?;
        Ok(Self {
            url,
            principal,
            context,
            credentials: Some(credentials(principal)?),
            service: principal.service(url),
            kept,
            heard: Vec::new(),
            has_asked: false,
        })
    }

    /// The message that proves the account to the server, with a ticket of the domain controller's.
    async fn ticket(&mut self) -> Result<Vec<u8>, SignInError> {
        let mut input = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        match self.advance(&mut input, &mut output).await {
            Ok(_) => message(output).ok_or_else(|| SignInError::unusable(self.url, "there is no ticket")),
            Err(NoTicket::Unreachable { server, detail }) => {
                Err(SignInError::NoController { server, detail })
            }
            Err(NoTicket::Refused(error)) => {
                Err(SignInError::no_ticket(self.principal, &self.service, &error))
            }
        }
    }

    async fn verify(&mut self, given: Vec<u8>) -> Result<(), SignInError> {
        let mut input = vec![SecurityBuffer::new(given, BufferType::Token)];
        let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        match self.advance(&mut input, &mut output).await {
            Ok(SecurityStatus::Ok) => Ok(()),
            _ => Err(SignInError::unusable(
                self.url,
                "it does not prove that the server is the one that was asked for",
            )),
        }
    }

    async fn advance(
        &mut self,
        input: &mut [SecurityBuffer],
        output: &mut [SecurityBuffer],
    ) -> Result<SecurityStatus, NoTicket> {
        let mut builder = self
            .context
            .initialize_security_context()
            .with_credentials_handle(&mut self.credentials)
            .with_context_requirements(ClientRequestFlags::MUTUAL_AUTH)
            .with_target_data_representation(DataRepresentation::Native)
            .with_target_name(&self.service)
            .with_input(input)
            .with_output(output);
        let mut generator =
            self.context.initialize_security_context_impl(&mut builder).map_err(NoTicket::Refused)?;
        let mut state = generator.start();
        let mut kept = self.kept.iter().flat_map(|answers| answers.iter());
        loop {
            match state {
                GeneratorState::Completed(outcome) => {
                    return outcome.map(|result| result.status).map_err(NoTicket::Refused);
                }
                GeneratorState::Suspended(request) => {
                    let answer = match kept.next() {
                        Some(answer) => answer.clone(),
                        None => {
                            self.has_asked = true;
                            kdc::ask(&request.url, &request.data).await.map_err(|error| {
                                let server = request.url.host_str().unwrap_or_default().to_owned();
                                NoTicket::Unreachable { server, detail: error.to_string() }
                            })?
                        }
                    };
                    self.heard.push(answer.clone());
                    state = generator.resume(Ok(answer));
                }
            }
        }
    }
}

fn credentials(principal: &Principal) -> Result<CredentialsBuffers, SignInError> {
    let (name, realm) = principal.parts();
    match &principal.key {
        PrincipalKey::Password(password) => {
            let identity = AuthIdentityBuffers::from_utf8(name, &realm, password.expose());
            Ok(CredentialsBuffers::AuthIdentity(identity))
        }
        PrincipalKey::Keytab(file) => {
            let unusable = |problem: String| SignInError::Setup(format!("{}: {problem}", file.display()));
            let bytes = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
            let key = keytab::newest_key(&bytes, name, &realm).ok_or_else(|| {
                unusable(format!(
                    "it holds no AES key of {name}@{realm}: make one with ktpass -crypto AES256-SHA1"
                ))
            })?;
            let principal = Username::new_down_level_logon_name(name, &realm)
                .map_err(|error| SignInError::Setup(format!("{}: {error}", principal.name)))?;
            let key_enctype = key.suite;
            let key = Secret::new(key.bytes.to_vec());
            Ok(CredentialsBuffers::Keytab(KeytabIdentity { principal, key, key_enctype }))
        }
    }
}

fn message(output: Vec<SecurityBuffer>) -> Option<Vec<u8>> {
    output.into_iter().next().map(|buffer| buffer.buffer).filter(|message| !message.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transport::SecretText;

    fn account() -> WindowsAccount {
        WindowsAccount::Ntlm { user: "EXAMPLE\\mms".to_owned(), password: SecretText::new("s3cret") }
    }

    async fn answer_to(given: Vec<u8>) -> Result<Vec<u8>, SignInError> {
        let url = Url::parse("http://mail.x.test/").unwrap();
        let account = account();
        let mut handshake = Handshake::new(&account, &url, Some(b"tls-server-end-point:x"), None).unwrap();
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
