//! A key that signs tokens, ECDSA on P-256 (ES256), and the library's way to `ring`, which has no backend of its own for
//! it: it calls for signatures and public keys, the arithmetic is ring's.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::jwk::{EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::signature::{self, Signer};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::{Claims, OidcError};
use crate::random;

/// A key with its number.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// By which tokens name it (`kid`).
    pub(super) id: String,
    secret: EncodingKey,
}

impl Key {
    /// A new one.
    pub(super) fn generate() -> Result<Self, OidcError> {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            if PROVIDER.install_default().is_err() {
                tracing::warn!("this program signs tokens with another provider than the lab's");
            }
        });
        let secret = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| OidcError::Sign(ErrorKind::InvalidEcdsaKey.into()))?;
        let id = random::hexadecimal().map_err(OidcError::Random)?;
        Ok(Self { id, secret: EncodingKey::from_ec_der(secret.as_ref()) })
    }

    /// What is published of it.
    pub(super) fn public(&self) -> Result<Jwk, OidcError> {
        let mut public = Jwk::from_encoding_key(&self.secret, Algorithm::ES256)?;
        public.common.key_id = Some(self.id.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(public)
    }

    /// A token of `claims` which names `id` as its key.
    pub(super) fn sign(&self, claims: &Claims, id: &str) -> Result<String, OidcError> {
        let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::ES256) };
        Ok(jsonwebtoken::encode(&header, claims, &self.secret)?)
    }
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| signer(*algorithm, key),
    // The lab verifies nothing: that is the API server's part.
    verifier_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    key_utils: KeyUtils { ec_pub_components_from_private_key: public_components, ..KeyUtils::new_unimplemented() },
};

fn signer(algorithm: Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Ok(Box::new(Es256(pair(key.as_bytes(), algorithm)?)))
}

fn pair(secret: &[u8], algorithm: Algorithm) -> Result<EcdsaKeyPair, Error> {
    if algorithm != Algorithm::ES256 {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, secret, &SystemRandom::new())
        .map_err(|_| ErrorKind::InvalidEcdsaKey.into())
}

/// Curve and coordinates of the public key: ring gives the uncompressed point, 4, x, y (SEC 1, 2.3.3).
fn public_components(secret: &[u8], algorithm: Algorithm) -> Result<(EllipticCurve, Vec<u8>, Vec<u8>), Error> {
    let pair = pair(secret, algorithm)?;
    match pair.public_key().as_ref() {
        [4, point @ ..] if point.len() == 64 => {
            let (x, y) = point.split_at(32);
            Ok((EllipticCurve::P256, x.to_vec(), y.to_vec()))
        }
        _ => Err(ErrorKind::InvalidEcdsaKey.into()),
    }
}

struct Es256(EcdsaKeyPair);

impl Signer<Vec<u8>> for Es256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let signed = self.0.sign(&SystemRandom::new(), message).map_err(|_| signature::Error::new())?;
        Ok(signed.as_ref().to_vec())
    }
}

impl JwtSigner for Es256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}
