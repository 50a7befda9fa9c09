//! The store of those who may call the API.

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::ApiToken;

/// SHA-256 of a token's secret. The secret itself is kept nowhere.
pub type SecretDigest = [u8; 32];

/// Tokens of the API.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// Adds a token; false where another that holds has its name.
    async fn add_token(&self, token: &ApiToken, secret: &SecretDigest) -> Result<bool, StoreError>;

    /// The token with this secret, whether it holds or not.
    async fn token_of(&self, secret: &SecretDigest) -> Result<Option<ApiToken>, StoreError>;

    /// Every token, the newest first.
    async fn tokens(&self) -> Result<Vec<ApiToken>, StoreError>;

    /// Revokes the token of this name or id; none where there is none that is not revoked.
    async fn revoke_token(&self, name: &str, now: Timestamp) -> Result<Option<ApiToken>, StoreError>;
}
