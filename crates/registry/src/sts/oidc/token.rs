//! A JSON Web Token before and after its signature is verified.

use std::fmt;

use jsonwebtoken::{Validation, dangerous::insecure_decode_claims, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    claims::{Claims, Rejected},
    keys::Key,
};

/// The longest token, in characters (STS's model).
pub const MAX_TOKEN: usize = 20_000;

/// What a token claims before anything of it is proven: enough to look for the key, and no more. It is not printed.
pub struct Unverified<'a> {
    token: &'a str,
    issuer: String,
    kid: String,
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified")
            .field("issuer", &self.issuer)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct IssuerOnly {
    iss: String,
}

impl<'a> Unverified<'a> {
    /// Reads the head of a token. Where a header says that its key lies (`jku`, `jwk`, `x5u`, `x5c`) is not looked at.
    pub fn parse(token: &'a str) -> Result<Self, Rejected> {
        if token.len() > MAX_TOKEN {
            return Err(Rejected::NotJwt);
        }
        let header = decode_header(token).map_err(|_| Rejected::NotJwt)?;
        if header.crit.is_some() {
            return Err(Rejected::NotJwt);
        }
        let claims: IssuerOnly =
            insecure_decode_claims(token).map_err(|_| Rejected::Missing("iss"))?;
        Ok(Self {
            token,
            issuer: claims.iss,
            kid: header.kid.ok_or(Rejected::NoKey)?,
        })
    }

    /// Who claims to have issued it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The id of the key that claims to have signed it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Proves that `key` signed it, by the key's own algorithm, whatever the token says.
    pub fn verify(&self, key: &Key) -> Result<Claims, Rejected> {
        let mut rules = Validation::new(key.algorithm);
        // Audience and times are checked in `claims`, by the product's clock.
        rules.required_spec_claims.clear();
        (rules.validate_exp, rules.validate_nbf, rules.validate_aud) = (false, false, false);
        let token = decode::<Map<String, Value>>(self.token, &key.key, &rules)
            .map_err(|_| Rejected::Signature)?;
        Ok(Claims::new(token.claims))
    }
}
