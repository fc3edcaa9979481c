//! Any single change, removal, swap or truncation, anywhere.

use jiyun_trail::core::hash::{self, Sm3};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::support::{Written, lines, plain, verify, write};

fn sizes() -> impl Strategy<Value = Vec<u64>> {
    vec(1..5_u64, 1..4)
}

/// Every line with the segment it lies in.
fn all_lines(written: &Written) -> Vec<(usize, Vec<u8>)> {
    let each = written.segments.iter().enumerate();
    each.flat_map(|(n, segment)| lines(segment).into_iter().map(move |line| (n, line))).collect()
}

fn joined(lines: &[(usize, Vec<u8>)], segments: usize) -> Vec<Vec<u8>> {
    let text = |n| lines.iter().filter(|(of, _)| *of == n).flat_map(|(_, line)| line.clone()).collect();
    (0..segments).map(text).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_written_is_sound_with_every_hash(sizes in sizes(), which in any::<Index>()) {
        let written = write(&sizes, "a", hash::ALL[which.index(hash::ALL.len())]);
        let report = verify(&written.segments, &written.head);
        prop_assert!(report.is_sound(), "{report:?}");
        prop_assert_eq!(report.looked.records, sizes.iter().sum::<u64>());
        prop_assert_eq!(report.looked.head, Some(written.head));
    }

    #[test]
    fn a_byte_that_is_changed_is_found(sizes in sizes(), which in any::<Index>(), to in any::<u8>()) {
        let mut written = plain(&sizes);
        let length: usize = written.segments.iter().map(Vec::len).sum();
        let mut place = which.index(length);
        let (file, segment) = (1..).zip(&mut written.segments).find(|(_, segment)| {
            let here = place < segment.len();
            if !here { place -= segment.len(); }
            here
        }).unwrap();
        prop_assume!(segment[place] != to);
        let line = segment[..place].split(|byte| *byte == b'\n').count();
        segment[place] = to;
        let report = verify(&written.segments, &written.head);
        prop_assert!(!report.is_sound());
        prop_assert_eq!(report.findings[0].place.to_string(), format!("{file}.jsonl:{line}"), "{:?}", report);
    }

    #[test]
    fn a_byte_that_is_taken_out_or_put_in_is_found(sizes in sizes(), which in any::<Index>(), put in any::<Option<u8>>()) {
        let mut written = plain(&sizes);
        let segment = written.segments.last_mut().unwrap();
        let place = which.index(segment.len());
        match put {
            // JSON does not care for a space or a line feed more; the hash and the reading by lines do.
            Some(byte) => segment.insert(place, byte),
            None => { segment.remove(place); }
        }
        let report = verify(&written.segments, &written.head);
        prop_assert!(!report.is_sound());
    }

    #[test]
    fn a_line_that_is_taken_out_is_found(sizes in sizes(), which in any::<Index>()) {
        let written = plain(&sizes);
        let mut lines = all_lines(&written);
        lines.remove(which.index(lines.len()));
        let report = verify(&joined(&lines, sizes.len()), &written.head);
        prop_assert!(!report.is_sound());
    }

    #[test]
    fn lines_that_are_swapped_are_found(sizes in sizes(), one in any::<Index>(), other in any::<Index>()) {
        let written = plain(&sizes);
        let mut lines = all_lines(&written);
        let (one, other) = (one.index(lines.len()), other.index(lines.len()));
        prop_assume!(one != other);
        let kept = lines[one].1.clone();
        lines[one].1 = std::mem::replace(&mut lines[other].1, kept);
        let report = verify(&joined(&lines, sizes.len()), &written.head);
        prop_assert!(!report.is_sound());
    }

    #[test]
    fn a_line_that_is_there_twice_is_found(sizes in sizes(), which in any::<Index>(), to in any::<Index>()) {
        let written = plain(&sizes);
        let mut lines = all_lines(&written);
        let copy = lines[which.index(lines.len())].clone();
        lines.insert(to.index(lines.len()), copy);
        let report = verify(&joined(&lines, sizes.len()), &written.head);
        prop_assert!(!report.is_sound());
    }

    #[test]
    fn an_end_that_is_cut_off_is_found(sizes in sizes(), which in any::<Index>()) {
        let mut written = plain(&sizes);
        let length: usize = written.segments.iter().map(Vec::len).sum();
        let mut keep = which.index(length);
        written.segments.retain_mut(|segment| {
            segment.truncate(keep);
            keep -= segment.len();
            !segment.is_empty()
        });
        let report = verify(&written.segments, &written.head);
        prop_assert!(!report.is_sound());
    }

    #[test]
    fn a_segment_that_is_gone_or_elsewhere_is_found(sizes in vec(1..4_u64, 2..5), one in any::<Index>(), other in any::<Index>()) {
        let written = plain(&sizes);
        let (one, other) = (one.index(sizes.len()), other.index(sizes.len()));
        let mut gone = written.segments.clone();
        gone.remove(one);
        prop_assert!(!verify(&gone, &written.head).is_sound());
        prop_assume!(one != other);
        let mut swapped = written.segments.clone();
        swapped.swap(one, other);
        prop_assert!(!verify(&swapped, &written.head).is_sound());
    }

    #[test]
    fn a_chain_that_is_written_anew_is_found_by_a_head_kept_elsewhere(sizes in sizes(), others in sizes()) {
        let written = plain(&sizes);
        let anew = write(&others, "b", &Sm3);
        prop_assert!(verify(&anew.segments, &anew.head).is_sound(), "in itself it fits together");
        prop_assert!(!verify(&anew.segments, &written.head).is_sound());
    }
}
