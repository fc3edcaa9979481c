//! Key pairs (密钥对) are made here, each in a Secret where tenants have no rights; the engine gives it to the user of the bucket.
//! A pair is made once: what has its name is never written over. They are in no status, no log and no record.

use jiyun_crds::names::LABEL_CLAIM;
use jiyun_ledger::Claim;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, api::ListParams, core::ObjectMeta};
use ring::rand::{SecureRandom, SystemRandom};

use super::request::labels;
use crate::{
    context::Context,
    database::credentials::read,
    engines::rook::{ACCESS_KEY, KeyPair, SECRET_KEY, key_pair},
    error::ReconcileError,
    host::{plan::ours, request::engine_namespace},
    site::SiteEngines,
};

/// How many characters name a pair, and which there are: as Ceph makes them itself.
const ACCESS: (usize, &[u8]) = (20, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

/// The same of its secret part: more than 238 bits.
const SECRET: (usize, &[u8]) = (40, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");

/// What is between the name of a bucket's claim and the moment of a key pair. No bucket's name has a dot: the engine keeps a Secret
/// that is called as the claim, and that of a bucket `a-key-0` would be written over the key pair of a bucket `a`.
const BETWEEN: &str = ".key-";

/// A Secret with a key pair, as it is looked at. Without `Debug`: it is printed nowhere.
#[derive(Clone)]
pub struct KeySecret {
    /// The Secret's metadata.
    pub metadata: ObjectMeta,
    /// The pair; none where somebody took a part of it away.
    pub pair: Option<KeyPair>,
}

impl KeySecret {
    /// What is looked at of a Secret.
    pub fn of(secret: Secret) -> Self {
        Self { pair: key_pair(&secret), metadata: secret.metadata }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
}

/// The Secret of the key pair that a bucket, whose claim at the engine is called so, has from this moment on (Unix seconds; 0:
/// from the beginning).
pub fn secret_name(claim_name: &str, moment: u64) -> String {
    format!("{claim_name}{BETWEEN}{moment}")
}

/// The moment of the key pair in the Secret of this name; none where it is no such Secret of that claim.
pub fn moment_of(secret: &str, claim_name: &str) -> Option<u64> {
    secret.strip_prefix(claim_name)?.strip_prefix(BETWEEN)?.parse().ok()
}

/// The key pairs that were made for the claim with this label, which is called `claim_name` at the engine, by the API server's
/// own word.
///
/// # Errors
/// When they cannot be listed.
pub async fn made_for(
    (namespace, claim_name): (&str, &str),
    label: &str,
    site: &SiteEngines,
) -> Result<Vec<KeySecret>, ReconcileError> {
    let of_claim = ListParams::default().labels(&format!("{LABEL_CLAIM}={label}"));
    let listed = Api::<Secret>::namespaced(site.client.clone(), namespace).list(&of_claim).await;
    let listed = listed.map_err(|source| ReconcileError::read("Secret", source))?;
    let made = listed.items.into_iter().map(KeySecret::of);
    Ok(made.filter(|keys| moment_of(keys.name(), claim_name).is_some()).collect())
}

/// Makes the key pair of this name, or reads the one that was made before the answer to that was lost.
///
/// # Errors
/// When it is not taken, there are no random numbers, or somebody else's Secret has its name.
pub async fn make(
    claim: &Claim,
    label: &str,
    name: &str,
    site: &SiteEngines,
    context: &Context,
) -> Result<KeySecret, ReconcileError> {
    let namespace = engine_namespace(claim);
    let api = Api::<Secret>::namespaced(site.client.clone(), &namespace);
    let secret = build(claim, label, name)?;
    let error = match context.writer.create(&api, &secret).await {
        Ok(made) => return Ok(KeySecret::of(made)),
        Err(error) => error,
    };
    if error.status() != Some(409) {
        return Err(error.into());
    }
    let found = read(&site.client, &namespace, name).await?;
    let Some(found) = found else { return Err(error.into()) };
    ours(&found.metadata, label, "Secret")?;
    Ok(KeySecret::of(found))
}

fn build(claim: &Claim, label: &str, name: &str) -> Result<Secret, ReconcileError> {
    let random = SystemRandom::new();
    let part = |of: (usize, &[u8])| {
        let drawn = drawn(of, |bytes| random.fill(bytes));
        drawn.map(|drawn| ByteString(drawn.into_bytes())).map_err(|_| ReconcileError::Randomness)
    };
    let data = [(ACCESS_KEY.to_owned(), part(ACCESS)?), (SECRET_KEY.to_owned(), part(SECRET)?)];
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(engine_namespace(claim)),
            labels: Some(labels(claim, label)),
            ..ObjectMeta::default()
        },
        // What a pair says was given to its user; another one has another Secret.
        immutable: Some(true),
        type_: Some("Opaque".to_owned()),
        data: Some(data.into()),
        ..Secret::default()
    })
}

/// So many characters of an alphabet, each as likely as the others, from bytes that `fill` draws. The alphabet has between 1 and
/// 256 of them, each of one byte.
fn drawn<E>((length, alphabet): (usize, &[u8]), mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<String, E> {
    // Bytes beyond the largest multiple of the alphabet would make its first characters likelier: they are passed over.
    let usable = 256 / alphabet.len() * alphabet.len();
    let (mut drawn, mut bytes) = (String::with_capacity(length), [0_u8; 64]);
    while drawn.len() < length {
        fill(&mut bytes)?;
        let places = bytes.iter().map(|byte| usize::from(*byte)).filter(|place| *place < usable);
        let characters = places.filter_map(|place| alphabet.get(place % alphabet.len()));
        let left = length - drawn.len();
        drawn.extend(characters.map(|character| char::from(*character)).take(left));
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        convert::Infallible,
    };

    use super::*;

    #[test]
    fn a_secret_leads_back_to_its_bucket_and_its_moment() {
        let name = secret_name("scans-bucket", 1_772_352_000);
        assert_eq!(name, "scans-bucket.key-1772352000");
        assert_eq!(moment_of(&name, "scans-bucket"), Some(1_772_352_000));
        assert_eq!(moment_of("scans-bucket.key-0", "scans-bucket"), Some(0));
        for other in ["scans-bucket", "scans-bucket.key-", "scans-bucket.key--5", "scans-bucket-0", "scan-bucket.key-0"]
        {
            assert_eq!(moment_of(other, "scans-bucket"), None, "{other}");
        }
    }

    #[test]
    fn a_key_pair_has_the_length_and_the_letters_of_one_and_is_another_each_time() {
        let random = SystemRandom::new();
        for of in [ACCESS, SECRET] {
            let made: BTreeSet<_> = (0..50).map(|_| drawn(of, |bytes| random.fill(bytes)).unwrap()).collect();
            assert_eq!(made.len(), 50);
            assert!(made.iter().all(|part| part.len() == of.0 && part.bytes().all(|byte| of.1.contains(&byte))));
        }
    }

    #[test]
    fn each_letter_is_as_likely_as_the_others() {
        // Every byte once and again: what is drawn is an even share of the alphabet, over and over.
        let mut next = 0_u8;
        let fill = |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(1);
            }
            Ok::<(), Infallible>(())
        };
        let (_, alphabet) = SECRET;
        // 248 of 256 bytes are used.
        let drawn = drawn((248 * 5, alphabet), fill).unwrap();
        let mut count = BTreeMap::new();
        for character in drawn.chars() {
            *count.entry(character).or_insert(0) += 1;
        }
        assert_eq!(count.len(), alphabet.len());
        assert!(count.values().all(|times| *times == 20), "{count:?}");
    }

    #[test]
    fn nothing_is_made_without_random_numbers() {
        assert_eq!(drawn(ACCESS, |_| Err("none")), Err("none"));
    }
}
