//! Signatures of ID tokens, looked at by `ring`, whose cryptography is that of TLS here, too: `jsonwebtoken` brings no own.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature::{
    self as by, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// What a token may be signed with: a key pair of the provider. Never `none`, and nothing where both sides share a secret.
pub const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Makes `jsonwebtoken` ask `ring`. May be said again.
pub fn install() {
    static RING: CryptoProvider = CryptoProvider {
        signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
        verifier_factory: verifier,
        key_utils: KeyUtils::new_unimplemented(),
    };
    // Of one process all are this one.
    let _ = RING.install_default();
}

enum Check {
    Rsa(&'static RsaParameters),
    Curve(&'static dyn VerificationAlgorithm),
}

struct ByRing {
    algorithm: Algorithm,
    check: Check,
    key: DecodingKey,
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    // Is for whoever stands in here to look at, says the library.
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let check = match algorithm {
        Algorithm::RS256 => Check::Rsa(&by::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Check::Rsa(&by::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Check::Rsa(&by::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Check::Rsa(&by::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Check::Rsa(&by::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Check::Rsa(&by::RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 => Check::Curve(&by::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Check::Curve(&by::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => Check::Curve(&by::ED25519),
        _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
    };
    Ok(Box::new(ByRing {
        algorithm: *algorithm,
        check,
        key: key.clone(),
    }))
}

impl Verifier<Vec<u8>> for ByRing {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let looked_at = match (&self.check, self.key.kind()) {
            (Check::Rsa(check), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(check, message, signature)
            }
            (Check::Curve(check), DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(*check, point).verify(message, signature)
            }
            _ => return Err(Error::new()),
        };
        looked_at.map_err(|_| Error::new())
    }
}

impl JwtVerifier for ByRing {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
