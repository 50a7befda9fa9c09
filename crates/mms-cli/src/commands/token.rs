//! `mms token create|list|revoke`

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use mms_engine::audit;
use mms_model::port::{RequestStore, TokenStore};
use mms_model::{ApiToken, Clock as _, IdSource as _, RandomIds, Role, SystemClock, record_date};
use mms_server::Secret;

use crate::config::Duration;
use crate::context::{Context, administrator};
use crate::failure::Failure;
use crate::output::{Format, Rows, Value, print_text, tell};
use crate::wiring::{self, store_failure};

/// Arguments of `mms token`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with tokens of the API.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Makes a token and prints it, this once: only a digest of it is kept.
    Create {
        /// What to call it: who or what will bear it.
        #[arg(value_name = "NAME", value_parser = name)]
        name: String,
        /// What its bearer may do: viewer, operator or admin.
        #[arg(long, value_name = "ROLE", default_value_t = Role::Viewer)]
        role: Role,
        /// How long it holds, as in 90d; 0 for ever.
        #[arg(long, value_name = "DURATION", default_value = "90d")]
        expires: Duration,
    },
    /// Lists the tokens, those that hold no more as well.
    List,
    /// Revokes a token, at once.
    Revoke {
        /// Its name or its id.
        #[arg(value_name = "NAME")]
        name: String,
    },
}

fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 100 || text.chars().any(char::is_control) {
        return Err("a name has 1 to 100 characters in one line".to_owned());
    }
    if text.starts_with("mms_") || text.parse::<uuid::Uuid>().is_ok() {
        return Err("a name is neither a token nor an id: say who or what will bear it".to_owned());
    }
    Ok(text.to_owned())
}

/// Does it.
///
/// # Errors
/// The name is taken, there is no such token, or the store fails.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let (store, tokens) = wiring::tokens(&context.config()?).await?;
    match &arguments.action {
        Action::Create { name, role, expires } => {
            let by = administrator();
            create(name, issue(&*store, &*tokens, name, *role, expires.get(), &by).await?)
        }
        Action::List => list(context, &*tokens).await,
        Action::Revoke { name } => revoke(&*store, &*tokens, name).await,
    }
}

fn create(name: &str, issued: Option<Secret>) -> Result<(), Failure> {
    let secret = issued.ok_or_else(|| {
        Failure::failed(format!("a token \"{name}\" holds already: revoke it, or take another name"))
    })?;
    print_text(&format!("{}\n", secret.expose()))?;
    tell("this is the only time that the token is shown; send it as Authorization: Bearer mms_…");
    Ok(())
}

/// Makes a token that holds for `period`, or for ever where that is zero; none where the name is taken.
///
/// # Errors
/// The store's.
pub async fn issue(
    store: &dyn RequestStore,
    tokens: &dyn TokenStore,
    name: &str,
    role: Role,
    period: std::time::Duration,
    by: &str,
) -> Result<Option<Secret>, Failure> {
    let now = SystemClock.now();
    let end = |period| now.checked_add(period).unwrap_or(Timestamp::MAX);
    let period = SignedDuration::try_from(period).unwrap_or(SignedDuration::MAX);
    let token = ApiToken {
        id: RandomIds.uuid(),
        name: name.to_owned(),
        role,
        created: now,
        expires: (!period.is_zero()).then(|| end(period)),
        revoked: None,
    };
    let secret = Secret::generate();
    if !tokens.add_token(&token, &secret.digest()).await.map_err(store_failure)? {
        return Ok(None);
    }
    audit(store, by, "CreateToken", name, &format!("{role} {}", token.id), now)
        .await
        .map_err(store_failure)?;
    Ok(Some(secret))
}

async fn list(context: &Context, tokens: &dyn TokenStore) -> Result<(), Failure> {
    let mut rows = Rows::new(&["Name", "Role", "State", "CreateDate", "ExpiryDate", "Id"]);
    let now = SystemClock.now();
    for token in tokens.tokens().await.map_err(store_failure)? {
        let state = match (token.revoked, token.holds(now)) {
            // An expired token that gave its name up counts as revoked when it expired.
            (Some(_), _) if token.revoked != token.expires => "Revoked",
            (None, true) => "Valid",
            _ => "Expired",
        };
        rows.push(vec![
            Value::text(token.name),
            Value::text(token.role.name()),
            Value::text(state),
            Value::text(record_date(token.created)),
            Value::optional(token.expires.map(record_date)),
            Value::text(token.id.to_string()),
        ]);
    }
    context.output.print(&rows, Format::Table, "there is no token: `mms token create` makes one")
}

async fn revoke(store: &dyn RequestStore, tokens: &dyn TokenStore, name: &str) -> Result<(), Failure> {
    let now = SystemClock.now();
    let revoked = tokens.revoke_token(name, now).await.map_err(store_failure)?;
    let token = revoked.ok_or_else(|| {
        Failure::not_found(format!("no token \"{name}\" holds: `mms token list` shows all"))
    })?;
    let (by, id) = (administrator(), token.id.to_string());
    audit(store, &by, "RevokeToken", &token.name, &id, now).await.map_err(store_failure)?;
    print_text(&format!("{} ({id}) is revoked\n", token.name))
}
