//! Telling attendees by mail, each once, whatever falls over in between.

use mms_model::port::{
    Invitation, InvitationSender, Lease, Mailing, MailingState, Outbound, RequestStore, StoreError,
};
use mms_model::{Address, Code, ErrorKind, EventId, PortError, User, hex};
use sha2::{Digest as _, Sha256};

/// One update of one meeting, to be told to its attendees.
pub(crate) struct Update<'a> {
    pub(crate) event: &'a EventId,
    pub(crate) subject: &'a str,
    pub(crate) language: String,
    pub(crate) join_url: String,
    pub(crate) itip: Vec<u8>,
    /// Of a rollback: another mail than the migration's, with another Message-ID.
    pub(crate) undo: bool,
}

/// How far telling got.
#[derive(Default)]
pub(crate) struct Told {
    /// Attendees that were sent the update.
    pub(crate) count: u32,
    /// What to say of a mail that was refused or may not have left.
    pub(crate) remark: Option<(Code, String)>,
    /// Why some mails are still due.
    pub(crate) pending: Option<PortError>,
}

/// Sends what is due of `mailings`, the mails noted of `update`.
///
/// The intent is noted between `prepare` and `commit`: a mail found in that state was most likely taken and is not
/// sent again, unless the sender knows for certain that it did not leave.
pub(crate) async fn tell(
    store: &dyn RequestStore,
    sender: Option<&dyn InvitationSender>,
    lease: &Lease,
    user: &User,
    update: &Update<'_>,
    mailings: Vec<Mailing>,
) -> Result<Told, StoreError> {
    let mut told = Told::default();
    for mailing in mailings {
        match mailing.state {
            MailingState::Sent => told.count += 1,
            MailingState::Refused => {
                told.remark = Some((
                    Code::MailRejected,
                    format!("the mail server refused the update for {}", mailing.to),
                ));
            }
            // Once the server is away, the rest of the meeting's mails wait too.
            MailingState::Due if told.pending.is_some() => {}
            MailingState::Due | MailingState::Committing => {
                let interrupted = mailing.state == MailingState::Committing;
                let invitation = invitation(lease, user, update, &mailing.to);
                let Some(sender) = sender else {
                    if interrupted {
                        told.unconfirmed(&invitation);
                    } else {
                        told.pending = Some(not_configured());
                    }
                    continue;
                };
                if interrupted && sender.was_ending(&invitation.message_id).await != Some(false) {
                    told.unconfirmed(&invitation);
                    continue;
                }
                match sender.prepare(&invitation).await {
                    Ok(mail) => send(store, lease, update.event, &invitation, mail, &mut told).await?,
                    Err(error) => {
                        not_taken(store, lease, update.event, &mailing.to, error, &mut told).await?
                    }
                }
            }
        }
    }
    Ok(told)
}

fn not_configured() -> PortError {
    PortError::permanent(
        Code::MailNotConfigured,
        "the calendar does not send updates to attendees: configure [smtp]",
    )
}

impl Told {
    fn unconfirmed(&mut self, invitation: &Invitation) {
        self.count += 1;
        let Invitation { to, message_id, .. } = invitation;
        let mail = format!("{to} (Message-ID <{message_id}>)");
        match &mut self.remark {
            Some((Code::UpdateUnconfirmed, message)) => {
                message.push_str(", ");
                message.push_str(&mail);
            }
            remark => {
                *remark = Some((
                    Code::UpdateUnconfirmed,
                    format!(
                        "handed over, but not seen to be taken, and not sent again: the update for {mail}"
                    ),
                ));
            }
        }
    }
}

async fn send(
    store: &dyn RequestStore,
    lease: &Lease,
    event: &EventId,
    invitation: &Invitation,
    mail: Box<dyn Outbound>,
    told: &mut Told,
) -> Result<(), StoreError> {
    let to = &invitation.to;
    store.mailed(lease, event, to, MailingState::Committing).await?;
    match mail.commit().await {
        Ok(()) => {
            store.mailed(lease, event, to, MailingState::Sent).await?;
            told.count += 1;
            Ok(())
        }
        Err(error) if error.code == Code::MailRejected => {
            not_taken(store, lease, event, to, error, told).await
        }
        // It cannot be told whether the mail was taken, so it counts as taken.
        Err(_) => {
            told.unconfirmed(invitation);
            Ok(())
        }
    }
}

/// A mail that was certainly not taken: due again, or refused for good.
async fn not_taken(
    store: &dyn RequestStore,
    lease: &Lease,
    event: &EventId,
    to: &Address,
    error: PortError,
    told: &mut Told,
) -> Result<(), StoreError> {
    let again = matches!(error.kind, ErrorKind::Retry | ErrorKind::RetryAfter(_));
    // What concerns the account and not this recipient can be mended by the administrator.
    let again = again || error.kind == ErrorKind::Unauthorised;
    if again {
        store.mailed(lease, event, to, MailingState::Due).await?;
        told.pending = Some(error);
    } else {
        store.mailed(lease, event, to, MailingState::Refused).await?;
        told.remark = Some((error.code, format!("{to}: {}", error.message)));
    }
    Ok(())
}

fn invitation(lease: &Lease, user: &User, update: &Update<'_>, to: &Address) -> Invitation {
    let from = user.primary_address();
    let mut hash = Sha256::new();
    for part in [
        lease.request.to_string().as_str(),
        &update.event.0,
        &to.as_str().to_ascii_lowercase(),
        if update.undo { "undo" } else { "move" },
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let id = hex(hash.finalize().get(..16).unwrap_or_default());
    Invitation {
        message_id: format!("{id}@{}", from.domain().unwrap_or_else(|| "localhost".to_owned())),
        from,
        from_name: user.display_name.clone(),
        to: to.clone(),
        subject: update.subject.to_owned(),
        language: update.language.clone(),
        join_url: update.join_url.clone(),
        itip: update.itip.clone(),
    }
}
