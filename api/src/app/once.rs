//! Ordering once, however often it is asked for. Nothing is remembered here: a key and its caller become the object's
//! name, and the API server has each name once. What the first request asked for lies on the object, as a digest.

use data_encoding::BASE32_NOPAD;
use jiyun_crds::names::ANNOTATION_REQUEST_DIGEST;
use kube::{Resource, ResourceExt};
use sha2::{Digest, Sha256};

use super::noun::{Noun, called};
use crate::{
    extract::{DepartmentName, IdempotencyKey, RequestDigest},
    problem::{Code, Problem},
    store::{Caller, KubernetesError, Run},
};

/// Letters and digits of a name made from a key: 100 bits, so that no two keys meet.
const NAME_LENGTH: usize = 20;

/// What a creation brings along besides its object.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The caller's key.
    pub key: Option<IdempotencyKey>,
    /// The digest of the body.
    pub digest: RequestDigest,
    /// Whether it is meant.
    pub run: Run,
}

/// What came of a creation.
#[derive(Clone, Debug)]
pub struct Created<K> {
    /// The object, as it is.
    pub object: K,
    /// Whether an earlier request had created it.
    pub replayed: bool,
}

/// The name of the object a request asks for: the one it gives, or the one its key stands for. A key stands for another
/// name with another caller, and the caller is whoever the token says: a token may be renewed between two tries.
pub async fn name_of<K: Noun>(
    caller: &Caller,
    department: &DepartmentName,
    given: Option<String>,
    key: Option<&IdempotencyKey>,
) -> Result<String, Problem> {
    match (given, key) {
        (Some(name), None) => Ok(name),
        (None, Some(key)) => Ok(derived::<K>(department, key, &caller.user().await?.name)),
        (Some(_), Some(_)) => Err(Problem::field(
            "name",
            "name 本身就是幂等键，不能与 Idempotency-Key 同时使用，请去掉其中之一 \
             (a name is a key by itself: leave out either the name or Idempotency-Key)",
        )),
        (None, None) => {
            Err(Problem::field("name", "请填写 name，或发送 Idempotency-Key (give a name, or send Idempotency-Key)"))
        }
    }
}

/// Such as `h-` and 20 letters and digits. The user comes last: it alone may hold any character.
fn derived<K: Noun>(department: &DepartmentName, key: &IdempotencyKey, user: &str) -> String {
    name_from::<K>(&[K::kind(&()).as_ref(), department.as_str(), key.as_str(), user])
}

/// The name of the object that is item `index` of what the key stands for.
pub(super) fn name_of_part<K: Noun>(
    department: &DepartmentName,
    key: &IdempotencyKey,
    index: usize,
    user: &str,
) -> String {
    let part = format!("{}[{index}]", K::kind(&()));
    name_from::<K>(&[&part, department.as_str(), key.as_str(), user])
}

/// A name that the same parts always make, and no others: only the last one may hold any character.
pub fn name_from<K: Noun>(parts: &[&str]) -> String {
    let letters = BASE32_NOPAD.encode(&Sha256::digest(parts.join("\0"))).to_ascii_lowercase();
    format!("{}-{}", K::LETTER, letters.get(..NAME_LENGTH).unwrap_or(&letters))
}

/// Writes the digest onto an object that is to be known again.
pub(super) fn mark<K: Resource>(object: &mut K, asked: &Asked) {
    if asked.key.is_some() {
        mark_always(object, asked);
    }
}

/// Writes the digest onto an object that is to be known again even without a key, by its name.
pub(super) fn mark_always<K: Resource>(object: &mut K, asked: &Asked) {
    let annotations = object.meta_mut().annotations.get_or_insert_default();
    annotations.insert(ANNOTATION_REQUEST_DIGEST.to_owned(), asked.digest.as_str().to_owned());
}

/// The object of an earlier request with the same key, where `problem` may come of its being there: the name is taken,
/// or what was in order then is so no longer. In every other case the problem stays.
pub(super) async fn again<K: Noun>(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    asked: &Asked,
    problem: Problem,
) -> Result<Created<K>, Problem> {
    let taken = problem.is(Code::AlreadyExists);
    if asked.key.is_none() || !(taken || problem.status == http::StatusCode::UNPROCESSABLE_ENTITY) {
        return Err(problem);
    }
    let what = called::<K>(department, name);
    let found = match caller.get::<K>(Some(&department.namespace()), name).await {
        Ok(found) => found,
        // It went just now.
        Err(KubernetesError::NotFound(_)) if taken => return Err(Problem::new(Code::BeingDeleted, [("what", what)])),
        Err(error) if error.is_invisible() => return Err(problem),
        Err(error) => return Err(Problem::from_kubernetes(error, what)),
    };
    if found.annotations().get(ANNOTATION_REQUEST_DIGEST).map(String::as_str) != Some(asked.digest.as_str()) {
        return Err(Problem::new(Code::IdempotencyKeyReused, [("what", what)]));
    }
    if found.meta().deletion_timestamp.is_some() {
        return Err(Problem::new(Code::BeingDeleted, [("what", what)]));
    }
    Ok(Created { object: found, replayed: true })
}
