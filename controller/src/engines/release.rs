//! Which release of each engine is the oldest that is supported, and how what a site has compares with it.
//!
//! A later one is always taken: nothing is read of an engine but the few fields its view names, so that what is new in it is
//! passed over.

use jiyun_crds::v1alpha1::{EngineReport, EngineState};

use super::version::Version;

/// Longest version that is shown; what is longer is none.
const LONGEST: usize = 63;

/// An engine the platform drives.
#[derive(Debug, PartialEq, Eq)]
pub struct Engine {
    /// Its name, as its project writes it.
    pub name: &'static str,
    /// The oldest release that is supported.
    pub minimum: Version,
    /// Whether a site without it is incomplete; the others are asked for by some kinds alone, which say so themselves.
    pub is_required: bool,
}

/// Machines. 1.8 is the release whose definitions, admission and controllers what is declared was run against
/// (`kubevirt.rs`, `kubevirt/attached.rs`): what older ones make of it, of disks that come and go above all, nobody has seen.
pub static KUBEVIRT: Engine = Engine { name: "KubeVirt", minimum: Version::new(1, 8, 0), is_required: true };

/// Disks. 1.65 is the release that imports were run with, and whose phases are told apart (`cdi.rs`).
pub static CDI: Engine = Engine { name: "CDI", minimum: Version::new(1, 65, 0), is_required: true };

/// Databases. 1.30 is the release whose conditions and hibernation are relied upon (`cnpg.rs`).
pub static CNPG: Engine = Engine { name: "CloudNativePG", minimum: Version::new(1, 30, 0), is_required: false };

/// Departments' own networks. 1.16 is the release whose order of rules in a private subnet was read (`kube_ovn.rs`): whether
/// walls stand depends on it.
pub static KUBE_OVN: Engine = Engine { name: "Kube-OVN", minimum: Version::new(1, 16, 0), is_required: false };

/// Buckets. 1.20 is the release whose provisioner was read (`rook.rs`): that a bucket goes to another owner with its claim, and
/// which of its quotas hold.
pub static ROOK: Engine = Engine { name: "Rook", minimum: Version::new(1, 20, 0), is_required: false };

/// What came of looking for an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// Its kinds are not served.
    Missing,
    /// Its kinds are served; what it says of its version, if it may be read and says anything.
    Installed(Option<String>),
    /// The requests failed: that says nothing.
    Unclear,
}

/// An engine of a site, compared with what is supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Which one.
    pub engine: &'static Engine,
    /// The version it says, without the letter in front.
    pub version: Option<String>,
    /// How that compares.
    pub state: EngineState,
}

impl Checked {
    /// Compares what was found; where that is unclear, what was reported `before` goes on.
    pub fn of(engine: &'static Engine, looked: Looked, before: Option<&EngineReport>) -> Self {
        let looked = match (looked, before) {
            (Looked::Unclear, Some(report)) if report.state == EngineState::Missing => Looked::Missing,
            (Looked::Unclear, before) => Looked::Installed(before.and_then(|report| report.version.clone())),
            (looked, _) => looked,
        };
        let Looked::Installed(said) = looked else {
            return Self { engine, version: None, state: EngineState::Missing };
        };
        let version = said.as_deref().and_then(shown);
        let state = match version.as_deref().and_then(Version::parse) {
            None => EngineState::Unknown,
            Some(version) if version < engine.minimum => EngineState::TooOld,
            Some(_) => EngineState::Supported,
        };
        Self { engine, version, state }
    }

    /// As the site's status has it.
    pub fn report(&self) -> EngineReport {
        EngineReport {
            name: self.engine.name.to_owned(),
            version: self.version.clone(),
            minimum: self.engine.minimum.to_string(),
            state: self.state,
        }
    }

    /// Whether it is not there and need not be.
    pub fn is_left_out(&self) -> bool {
        self.state == EngineState::Missing && !self.engine.is_required
    }

    /// Name and version: `KubeVirt 1.8.2`.
    pub fn called(&self) -> String {
        self.version
            .as_ref()
            .map_or_else(|| self.engine.name.to_owned(), |version| format!("{} {version}", self.engine.name))
    }

    /// For a column: the state where something is to be done about it.
    pub fn in_short(&self) -> String {
        match self.state {
            EngineState::Supported => self.called(),
            state => format!("{} {state}", self.called()),
        }
    }

    /// For a sentence: with the oldest version that is supported.
    pub fn beside_minimum(&self) -> String {
        format!("{} (>= {})", self.called(), self.engine.minimum)
    }
}

/// What an engine says, where it can be shown in one short line.
fn shown(said: &str) -> Option<String> {
    let number = said.strip_prefix('v').filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    let said = number.unwrap_or(said);
    let is_plain = !said.is_empty() && said.len() <= LONGEST && said.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain.then(|| said.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(said: &str) -> Checked {
        Checked::of(&KUBEVIRT, Looked::Installed(Some(said.to_owned())), None)
    }

    #[test]
    fn an_older_version_is_too_old_and_every_later_one_is_supported() {
        for (said, state) in [
            ("v1.8.0", EngineState::Supported),
            ("v1.8.2", EngineState::Supported),
            ("v12.0.0-new+scheme", EngineState::Supported),
            ("v1.7.9", EngineState::TooOld),
            ("v1.8.0-rc.0", EngineState::TooOld),
            ("devel", EngineState::Unknown),
        ] {
            assert_eq!(installed(said).state, state, "{said}");
        }
        assert_eq!(installed("v1.7.9").in_short(), "KubeVirt 1.7.9 TooOld");
        assert_eq!(installed("v1.7.9").beside_minimum(), "KubeVirt 1.7.9 (>= 1.8.0)");
        assert_eq!(installed("v1.8.2").in_short(), "KubeVirt 1.8.2");
        assert_eq!(installed("devel").in_short(), "KubeVirt devel Unknown");
    }

    #[test]
    fn what_cannot_be_shown_in_a_line_is_no_version() {
        for said in ["", "1.8.2\n1.9.0", "版本", &"1".repeat(64)] {
            let checked = installed(said);
            assert_eq!((checked.version, checked.state), (None, EngineState::Unknown), "{said:?}");
        }
        assert_eq!(installed("vvv").version.as_deref(), Some("vvv"));
    }

    #[test]
    fn a_missing_engine_is_told_apart_from_one_that_says_nothing() {
        let missing = Checked::of(&CDI, Looked::Missing, None);
        assert_eq!((missing.in_short().as_str(), missing.is_left_out()), ("CDI Missing", false));
        assert!(Checked::of(&KUBE_OVN, Looked::Missing, None).is_left_out());
        let silent = Checked::of(&KUBE_OVN, Looked::Installed(None), None);
        assert_eq!((silent.in_short().as_str(), silent.is_left_out()), ("Kube-OVN Unknown", false));
    }

    #[test]
    fn a_request_that_failed_changes_nothing_that_was_reported() {
        for before in [installed("v1.8.2"), installed("v1.7.0"), installed("devel"), installed("")] {
            assert_eq!(Checked::of(&KUBEVIRT, Looked::Unclear, Some(&before.report())), before);
        }
        let missing = Checked::of(&CNPG, Looked::Missing, None);
        assert_eq!(Checked::of(&CNPG, Looked::Unclear, Some(&missing.report())), missing);
        assert_eq!(Checked::of(&CDI, Looked::Unclear, None).state, EngineState::Unknown);
    }

    #[test]
    fn a_report_holds_what_a_reader_compares() {
        let report = installed("v1.7.9").report();
        assert_eq!((report.name.as_str(), report.minimum.as_str()), ("KubeVirt", "1.8.0"));
        assert_eq!((report.version.as_deref(), report.state), (Some("1.7.9"), EngineState::TooOld));
    }
}
