//! Why nothing would come of asking a host or a volume for something now, where the object itself could be written.

use crate::problem::{Code, Problem};

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idle {
    /// Its end was asked for.
    Ending,
    /// It was not granted, or not yet: there is neither machine nor disk.
    NotGranted,
    /// Its lease is over: the host is off whatever it is asked for.
    LeaseOver,
    /// Its lease is over, and its machine was taken down.
    Archived,
    /// Its system disk is being made anew.
    BeingRestored,
}

impl Idle {
    /// Of whatever is being deleted, or holds nothing.
    pub fn of(is_ending: bool, is_granted: bool) -> Option<Self> {
        if is_ending {
            return Some(Self::Ending);
        }
        (!is_granted).then_some(Self::NotGranted)
    }

    /// The problem `code` of the object `what`, with what to do.
    pub fn problem(self, code: Code, what: String) -> Problem {
        Problem::new(code, [("what", what), ("problem", self.words().to_owned())])
    }

    /// In both languages, as the parameter `problem` is written.
    const fn words(self) -> &'static str {
        match self {
            Self::Ending => "正在删除 (it is being deleted)",
            Self::NotGranted => "尚未获批准 (it was not granted, or not yet: see its conditions)",
            Self::LeaseOver => {
                "租期已满，已关机；延长租期并获批准后，自动开机 (its lease is over, and it is off: extend the lease, and \
                 once that is granted it starts by itself)"
            }
            Self::Archived => {
                "租期已满，已归档；请先延长租期，恢复使用后重试 (its lease is over, and its machine was taken down: extend \
                 the lease, and ask again once it is back)"
            }
            Self::BeingRestored => {
                "系统盘正在恢复，完成后自动开机 (its system disk is being restored; it starts by itself once that is \
                 done)"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiyun_messages::Language;

    use super::*;

    #[test]
    fn each_is_told_in_the_language_of_its_reader() {
        for idle in [Idle::Ending, Idle::NotGranted, Idle::LeaseOver, Idle::Archived, Idle::BeingRestored] {
            let problem = idle.problem(Code::NothingToRestart, "CloudHost finance/web-1".to_owned());
            let document = problem.document(Language::English, "t-1");
            let (chinese, english) = idle.words().strip_suffix(')').unwrap().split_once(" (").unwrap();
            assert!(document.detail_zh.contains(chinese) && !document.detail_zh.contains(english), "{document:?}");
            assert!(document.detail_en.contains(english) && document.detail_en.is_ascii(), "{document:?}");
        }
    }

    #[test]
    fn what_is_being_deleted_is_told_as_that_whether_it_was_granted_or_not() {
        assert_eq!(Idle::of(true, false), Some(Idle::Ending));
        assert_eq!(Idle::of(true, true), Some(Idle::Ending));
        assert_eq!(Idle::of(false, false), Some(Idle::NotGranted));
        assert_eq!(Idle::of(false, true), None);
    }
}
