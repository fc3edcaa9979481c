//! The API server's own count of requests: `apiserver_request_total`.

use std::collections::BTreeMap;

/// The count cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a sample of apiserver_request_total")]
pub struct ReadError(String);

/// Verbs of requests that change something. A server-side apply is counted apart from other patches.
const CHANGING: [&str; 6] = ["POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"];

/// Requests since the API server started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Changing ones, by resource (`cloudhosts/status`).
    changing: BTreeMap<String, u64>,
    /// Reads of single objects.
    gets: u64,
}

impl Requests {
    /// Reads them out of the API server's metrics.
    ///
    /// # Errors
    /// When a sample has another form than Prometheus' text format.
    pub fn parse(metrics: &str) -> Result<Self, ReadError> {
        let mut read = Self::default();
        for line in metrics.lines().filter(|line| line.starts_with("apiserver_request_total{")) {
            let (labels, count) = sample(line).ok_or_else(|| ReadError(line.to_owned()))?;
            let label = |name: &str| labels.get(name).copied().unwrap_or_default();
            if label("verb") == "GET" && !label("resource").is_empty() {
                read.gets += count;
            }
            if !CHANGING.contains(&label("verb")) {
                continue;
            }
            let resource = match label("subresource") {
                "" => label("resource").to_owned(),
                sub => format!("{}/{sub}", label("resource")),
            };
            *read.changing.entry(resource).or_default() += count;
        }
        Ok(read)
    }

    /// Changing requests to one resource since `before`.
    pub fn since(&self, before: &Self, resource: &str) -> u64 {
        let at = |requests: &Self| requests.changing.get(resource).copied().unwrap_or_default();
        at(self).saturating_sub(at(before))
    }

    /// Reads of single objects since `before`.
    pub fn gets_since(&self, before: &Self) -> usize {
        usize::try_from(self.gets.saturating_sub(before.gets)).unwrap_or(usize::MAX)
    }
}

/// Labels and value of `name{label="value",...} 12`. No label of this figure holds an escaped character.
fn sample(line: &str) -> Option<(BTreeMap<&str, &str>, u64)> {
    let (_, rest) = line.split_once('{')?;
    let (labels, value) = rest.rsplit_once("} ")?;
    let mut read = BTreeMap::new();
    let mut rest = labels;
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"')?;
        read.insert(name.trim_start_matches(','), value);
        rest = after;
    }
    // Counts are written as floats, large ones with an exponent.
    let value: f64 = value.trim().parse().ok()?;
    Some((read, whole(value)?))
}

/// A count that is written as a float.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a whole number below 2^52")]
fn whole(value: f64) -> Option<u64> {
    ((0.0..4_503_599_627_370_496.0).contains(&value) && value.fract() == 0.0).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"# TYPE apiserver_request_total counter
apiserver_request_total{code="201",component="apiserver",dry_run="",group="jiyun.io",resource="cloudhosts",scope="resource",subresource="",verb="POST",version="v1alpha1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="",group="jiyun.io",resource="cloudhosts",scope="cluster",subresource="",verb="LIST",version="v1alpha1"} 9
apiserver_request_total{code="200",component="apiserver",dry_run="",group="jiyun.io",resource="cloudhosts",scope="resource",subresource="",verb="GET",version="v1alpha1"} 4
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="",scope="",subresource="/readyz",verb="GET",version=""} 5
apiserver_request_total{code="200",component="apiserver",dry_run="",group="jiyun.io",resource="cloudhosts",scope="resource",subresource="status",verb="APPLY",version="v1alpha1"} 2
apiserver_request_duration_seconds_count{verb="POST"} 7
"#;

    #[test]
    fn changing_requests_count_and_an_apply_is_one_and_reads_of_objects_are_counted_apart() {
        let read = Requests::parse(BEFORE).unwrap();
        let changing = BTreeMap::from([("cloudhosts".into(), 3), ("cloudhosts/status".into(), 2)]);
        assert_eq!(read, Requests { changing, gets: 4 });
    }

    #[test]
    fn codes_and_verbs_of_one_resource_are_added_up() {
        let conflict = BEFORE.lines().nth(1).unwrap().replace("201", "409").replace("POST", "DELETE");
        let after = Requests::parse(&format!("{BEFORE}{conflict}\n")).unwrap();
        let before = Requests::parse(BEFORE).unwrap();
        assert_eq!(after.since(&before, "cloudhosts"), 3);
        assert_eq!(after.since(&before, "cloudhosts/status"), 0);
        assert_eq!(after.since(&before, "unheard-of"), 0);
    }

    #[test]
    fn a_large_count_with_an_exponent_is_read_and_nonsense_is_refused() {
        let large = "apiserver_request_total{resource=\"pods\",verb=\"PUT\"} 1.5e+06\n";
        assert_eq!(Requests::parse(large).unwrap().since(&Requests::default(), "pods"), 1_500_000);
        assert!(Requests::parse("apiserver_request_total{verb=\"PUT\"} many\n").is_err());
    }
}
