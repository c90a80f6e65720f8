//! Whether an ID token is the answer to what this console asked just now (OpenID Connect Core 1.0, 3.1.3.7). Knows no
//! HTTP and no clock.

use jiff::Timestamp;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{JwkSet, PublicKeyUse};
use jsonwebtoken::{DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::signature;

/// What two clocks may differ by.
const LEEWAY_SECONDS: i64 = 60;
/// Characters of a subject; the standard has the same.
const SUBJECT_MAX: usize = 255;

/// What the token has to say.
pub struct Expected<'a> {
    /// Whose it is.
    pub issuer: &'a str,
    /// Whom it is for.
    pub client_id: &'a str,
    /// What was drawn for this login.
    pub nonce: &'a str,
    /// When.
    pub now: Timestamp,
}

/// What the provider says of somebody.
#[derive(Debug)]
pub struct Claims {
    /// Who it is, for ever, at this provider.
    pub subject: String,
    /// How sure the provider is.
    pub acr: Option<String>,
    /// By what means.
    pub amr: Vec<String>,
    all: Map<String, Value>,
}

impl Claims {
    /// The text of a claim.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all.get(name)?.as_str()
    }
}

#[derive(Deserialize)]
struct Stated {
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: Option<String>,
    acr: Option<String>,
    #[serde(default)]
    amr: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(#[expect(dead_code, reason = "compared by the library")] String),
    Several(Vec<String>),
}

/// Looks at all of a token.
///
/// # Errors
/// What is wrong with it, in a word for the audit trail.
pub fn verify(token: &str, keys: &JwkSet, expected: &Expected<'_>) -> Result<Claims, &'static str> {
    signature::install();
    // `none` is no algorithm that the library knows.
    let header = decode_header(token).map_err(|_| "algorithm")?;
    // What is critical and nobody here knows is not passed over.
    if !signature::ALGORITHMS.contains(&header.alg) || header.crit.is_some() {
        return Err("algorithm");
    }
    let key = key(keys, &header).ok_or("key")?;
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    // By the clock of whoever asks, below.
    validation.validate_exp = false;
    let all =
        decode::<Map<String, Value>>(token, &key, &validation).map_err(|error| {
            match error.kind() {
                ErrorKind::InvalidSignature => "signature",
                ErrorKind::InvalidIssuer => "issuer",
                ErrorKind::InvalidAudience => "audience",
                ErrorKind::InvalidAlgorithm => "algorithm",
                _ => "claims",
            }
        })?;
    let all = all.claims;
    let stated: Stated =
        serde_json::from_value(Value::Object(all.clone())).map_err(|_| "claims")?;
    // One issuer, not a list with it.
    if all.get("iss").and_then(Value::as_str) != Some(expected.issuer) {
        return Err("issuer");
    }
    let is_shared = matches!(&stated.aud, Audience::Several(all) if all.len() > 1);
    let is_for_us = match &stated.azp {
        Some(party) => party == expected.client_id,
        None => !is_shared,
    };
    if !is_for_us {
        return Err("audience");
    }
    let now = expected.now.as_second();
    let soon = now + LEEWAY_SECONDS;
    if stated.exp <= now - LEEWAY_SECONDS {
        return Err("expired");
    }
    if stated.iat > soon || stated.nbf.is_some_and(|from| from > soon) {
        return Err("not yet valid");
    }
    if stated.nonce.as_deref() != Some(expected.nonce) {
        return Err("nonce");
    }
    if stated.sub.is_empty() || stated.sub.len() > SUBJECT_MAX {
        return Err("claims");
    }
    Ok(Claims {
        subject: stated.sub,
        acr: stated.acr,
        amr: stated.amr,
        all,
    })
}

/// The one key that the token can be signed with, by its name if it has one.
fn key(keys: &JwkSet, header: &Header) -> Option<DecodingKey> {
    let mut fitting = keys.keys.iter().filter_map(|jwk| {
        let common = &jwk.common;
        let is_named = header.kid.is_none() || header.kid == common.key_id;
        let may_sign = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature))
            && common
                .key_algorithm
                .is_none_or(|of| of == header.alg.into());
        let key = DecodingKey::from_jwk(jwk).ok()?;
        (is_named && may_sign && key.family() == header.alg.family()).then_some(key)
    });
    let first = fitting.next()?;
    fitting.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys and one token of each algorithm, made with another implementation: the `cryptography` of Python.
    const SIGNED: &str = include_str!("signed.json");

    #[derive(Deserialize)]
    struct Signed {
        keys: JwkSet,
        tokens: Vec<String>,
    }

    #[test]
    fn s3_what_others_signed_is_verified_and_a_bit_more_is_not() {
        let signed: Signed = serde_json::from_str(SIGNED).unwrap();
        assert_eq!(signed.tokens.len(), signature::ALGORITHMS.len());
        let expected = Expected {
            issuer: "https://login.example.org",
            client_id: "fundwatch",
            nonce: "n",
            now: Timestamp::from_second(1_700_000_000).unwrap(),
        };
        for (token, algorithm) in signed.tokens.iter().zip(signature::ALGORITHMS) {
            assert_eq!(decode_header(token).unwrap().alg, algorithm);
            let claims = verify(token, &signed.keys, &expected).unwrap();
            assert_eq!(claims.subject, "s-1");
            assert_eq!(claims.text("preferred_username"), Some("li"));
            // The same claims, signed for another one of the algorithms.
            let (message, own) = token.rsplit_once('.').unwrap();
            for other in signed.tokens.iter().filter(|other| *other != token) {
                let foreign = other.rsplit_once('.').unwrap().1;
                let mixed = format!("{message}.{foreign}");
                let said = verify(&mixed, &signed.keys, &expected).unwrap_err();
                assert_eq!(said, "signature", "{algorithm:?}");
            }
            let (header, _) = message.split_once('.').unwrap();
            let claims = "eyJzdWIiOiJzLTIifQ";
            let forged = format!("{header}.{claims}.{own}");
            assert_eq!(
                verify(&forged, &signed.keys, &expected).unwrap_err(),
                "signature"
            );
        }
    }
}
