//! `AssumeRoleWithWebIdentity`: the one call by which somebody without credentials becomes somebody.

use std::time::Duration;

use longshore_types::arn::PrincipalArn;
use serde::{Deserialize, Serialize};

use super::{
    oidc::{Claims, FetchError, Issuer, MAX_TOKEN, NoKey, Rejected, Unverified},
    role_session::{self, AssumedRoleUser, RoleSession},
    terms::{PolicyDescriptor, Terms},
};
use crate::{
    authz::{self, Needs, Permit, Resource, Sts, WebIdentity, authorize_web_identity},
    cx::{Cx, Scope},
    error::{Error, Fault, Result},
    iam::tag::{self, Tag},
    operation::Operation,
    session::{Provider, Session, SessionCredentials, SessionKind},
    table::oidc_provider::{self, OidcProvider},
};

/// How often a decision is made again because what it rested on changed meanwhile.
const DECISIONS: usize = 4;
/// When to try again when too many ask providers for keys.
const RETRY: Duration = Duration::from_secs(5);
/// The most bytes of a session that tell of its provider, as JSON.
const MAX_PROVIDER: usize = 1024;

/// Becomes a role by a token of an identity provider that the role's account trusts.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumeRoleWithWebIdentity {
    role_arn: String,
    role_session_name: String,
    web_identity_token: String,
    provider_id: Option<String>,
    policy_arns: Option<Vec<PolicyDescriptor>>,
    policy: Option<String>,
    duration_seconds: Option<i64>,
}

impl std::fmt::Debug for AssumeRoleWithWebIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssumeRoleWithWebIdentity")
            .field("role_arn", &self.role_arn)
            .field("role_session_name", &self.role_session_name)
            .finish_non_exhaustive()
    }
}

/// The session's credentials, and whom the provider vouched for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct WebIdentityRole {
    credentials: SessionCredentials,
    subject_from_web_identity_token: String,
    assumed_role_user: AssumedRoleUser,
    #[serde(skip_serializing_if = "Option::is_none")]
    packed_policy_size: Option<u64>,
    provider: String,
    audience: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<String>,
}

impl Operation for AssumeRoleWithWebIdentity {
    type Output = WebIdentityRole;

    /// Whoever calls is nobody yet; what the token proves is decided on as soon as it is proven.
    fn needs(&self, _: &Scope) -> Result<Needs> {
        self.session()?;
        if self.provider_id.is_some() {
            return Err(Fault::Validation
                .because("ProviderId is for OAuth 2.0 access tokens, which are not supported."));
        }
        if !(4..=MAX_TOKEN).contains(&self.web_identity_token.len()) {
            return Err(invalid(Rejected::NotJwt));
        }
        Ok(Needs::one(
            Sts::AssumeRoleWithWebIdentity,
            Resource::Nothing,
        ))
    }

    async fn run(self, cx: &Cx<'_>, _: Permit<Self>) -> Result<WebIdentityRole> {
        let (provider, claims) = self.verified(cx).await?;
        let session = self.vouched(&provider, &claims)?;
        let packed_policy_size = session.terms.packed_percent(session.provider.as_ref())?;
        let role = session.role.clone();
        let made = make(cx, session, &provider, &claims).await?;
        Ok(WebIdentityRole {
            subject_from_web_identity_token: claims.subject().map_err(invalid)?.to_owned(),
            assumed_role_user: AssumedRoleUser::of(&role, &made),
            packed_policy_size,
            provider: provider.arn,
            audience: claims.audience().to_owned(),
            source_identity: made.source_identity.clone(),
            credentials: made.issue(&cx.core.tokens)?,
        })
    }
}

impl AssumeRoleWithWebIdentity {
    /// Reads the input, but for the token.
    fn session(&self) -> Result<RoleSession> {
        let name = &self.role_session_name;
        role_session::check_name(name, "roleSessionName", 64)?;
        Ok(RoleSession {
            role: role_session::role_arn(&self.role_arn)?,
            name: name.clone(),
            seconds: role_session::role_seconds(self.duration_seconds)?,
            kind: SessionKind::WebIdentity,
            terms: Terms::policies(self.policy.as_ref(), self.policy_arns.as_ref())?,
            source_identity: None,
            provider: None,
        })
    }

    /// The provider that the role's account trusts, and what the token says, proven.
    async fn verified(&self, cx: &Cx<'_>) -> Result<(OidcProvider, Claims)> {
        let token = Unverified::parse(&self.web_identity_token).map_err(invalid)?;
        let role = role_session::role_arn(&self.role_arn)?;
        let provider = registered(cx, &role, token.issuer()).await?;
        let issuer = Issuer {
            url: token.issuer().to_owned(),
            thumbprints: lower(&provider.thumbprints),
        };
        let now = cx.core.meta.now();
        let key = cx.core.issuers.key(&issuer, token.kid(), now).await;
        let claims = token
            .verify(&key.map_err(|error| no_key(&error))?)
            .map_err(invalid)?;
        // A provider's clock is that of the world, not of the store.
        let now = cx.core.meta.system_now();
        let claims = claims.check(&provider.client_ids, now).map_err(invalid)?;
        Ok((provider, claims))
    }

    /// The session with what the provider says about it.
    fn vouched(&self, provider: &OidcProvider, claims: &Claims) -> Result<RoleSession> {
        let rejected = |error: Error| Fault::IdpRejectedClaim.because(error.to_string());
        let mut session = self.session()?;
        let identity = claims.source_identity();
        if let Some(identity) = identity {
            role_session::check_name(identity, "sourceIdentity", 64).map_err(rejected)?;
        }
        let (tags, transitive) = (claims.session_tags(), claims.transitive_tag_keys());
        let terms = session
            .terms
            .with_tags(Some(&Tag::all(tags)), Some(&transitive));
        session.terms = terms.map_err(rejected)?;
        session.source_identity = identity.map(str::to_owned);
        let told = Provider {
            arn: provider.arn.clone(),
            keys: claims.session_keys(&provider.url),
        };
        if serde_json::to_vec(&told).map_or(usize::MAX, |json| json.len()) > MAX_PROVIDER {
            return Err(Fault::IdpRejectedClaim.because("The claims of the token are too long."));
        }
        session.provider = Some(told);
        Ok(session)
    }
}

/// Makes the session in a transaction in which the role trusts whom the provider vouches for, and the provider is
/// still the one that was asked.
async fn make(
    cx: &Cx<'_>,
    session: RoleSession,
    provider: &OidcProvider,
    claims: &Claims,
) -> Result<Session> {
    for _ in 0..DECISIONS {
        let grant = authorize_web_identity(cx, wanted(&session, provider, claims)).await?;
        let (session, provider) = (session.clone(), provider.clone());
        let made = cx
            .core
            .meta
            .read(move |tx| {
                grant.assert(tx)?;
                if oidc_provider::by_arn(tx, &provider.arn)? != Some(provider.clone()) {
                    return Err(no_provider(&provider.url));
                }
                session.make(tx)
            })
            .await;
        match made {
            Err(Error::Stale) => {}
            made => return made?.ok_or_else(authz::web_identity_denied),
        }
    }
    Err(Error::Unavailable)
}

/// What the trust policy is asked.
fn wanted<'a>(
    session: &'a RoleSession,
    provider: &'a OidcProvider,
    claims: &Claims,
) -> WebIdentity<'a> {
    let mut needs = Needs::one(
        Sts::AssumeRoleWithWebIdentity,
        Resource::Role(session.role.clone()),
    );
    if !session.terms.tags.is_empty() {
        needs = tag::requested(needs.and(Sts::TagSession), &session.terms.tags);
    }
    if session.source_identity.is_some() {
        needs = needs.and(Sts::SetSourceIdentity);
    }
    needs = needs
        .with("sts:RoleSessionName", [&session.name])
        .with("sts:SourceIdentity", &session.source_identity)
        .with("sts:TransitiveTagKeys", &session.terms.transitive)
        .with("aws:FederatedProvider", [&provider.arn]);
    for (key, values) in claims.keys(&provider.url) {
        needs = needs.with(key, values);
    }
    WebIdentity {
        provider: &provider.arn,
        needs,
    }
}

/// The provider that the role's account has for an issuer.
async fn registered(cx: &Cx<'_>, role: &PrincipalArn, issuer: &str) -> Result<OidcProvider> {
    let url = issuer
        .strip_prefix("https://")
        .filter(|url| !url.contains('\0'));
    let url = url.ok_or_else(|| no_provider(issuer))?;
    let arn = format!("arn:aws:iam::{}:oidc-provider/{url}", role.account());
    let found = cx
        .core
        .meta
        .query(move |tx| oidc_provider::by_arn(tx, &arn))
        .await?;
    found.ok_or_else(|| no_provider(url))
}

/// Thumbprints as they are compared.
fn lower(thumbprints: &[String]) -> Vec<String> {
    let lower = thumbprints.iter().map(|text| text.to_ascii_lowercase());
    lower.collect()
}

fn no_provider(url: &str) -> Error {
    let url = url.strip_prefix("https://").unwrap_or(url);
    Fault::InvalidIdentityToken.because(format!(
        "No OpenIDConnect provider found in your account for https://{url}"
    ))
}

fn invalid(rejected: Rejected) -> Error {
    let fault = match rejected {
        Rejected::Expired { .. } => Fault::ExpiredToken,
        _ => Fault::InvalidIdentityToken,
    };
    fault.because(rejected.to_string())
}

/// What the network looks like from here stays here.
fn no_key(error: &NoKey) -> Error {
    match error {
        NoKey::Unknown => invalid(Rejected::NoKey),
        NoKey::Busy => Error::Throttled(RETRY),
        NoKey::Fetch(FetchError::Certificate(_)) => Fault::InvalidIdentityToken.because(
            "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
        ),
        NoKey::Fetch(_) => Fault::IdpCommunicationError
            .because("The identity provider could not be reached, or does not answer as one."),
    }
}
