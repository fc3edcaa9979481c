//! The record of results: one JSON object a line and a figure, the newest of each.

use std::path::Path;

use super::{BenchError, Figure};

/// Records a figure, in place of an earlier one of its name.
///
/// # Errors
/// When the file cannot be written.
pub fn record(file: &Path, figure: &Figure) -> Result<(), BenchError> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(BenchError::file(folder))?;
    }
    let before = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(BenchError::file(file)(error)),
    };
    std::fs::write(file, merged(&before, figure)?).map_err(BenchError::file(file))
}

/// The record with `figure` in it. Lines that cannot be read were not written here, and go.
fn merged(before: &str, figure: &Figure) -> Result<String, serde_json::Error> {
    let mut lines = Vec::new();
    for line in before.lines() {
        match serde_json::from_str::<Figure>(line) {
            Ok(earlier) if earlier.name != figure.name => lines.push(line.to_owned()),
            Ok(_) | Err(_) => {}
        }
    }
    lines.push(serde_json::to_string(figure)?);
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{
        Name,
        figure::{Better, Comparison, Goal, Judged},
    };

    fn figure(name: Name, ours: f64) -> Figure {
        let comparison = Comparison {
            ours,
            reference: 2.0,
            what_reference_is: "two\nlines".into(),
            unit: "writes".into(),
            runs: 1,
            notes: vec!["a note".into()],
        };
        Figure::new(name, comparison, Goal { value: 4.0, better: Better::Lower, judged: Judged::Ours })
    }

    #[test]
    fn a_figure_measured_again_replaces_its_line_and_leaves_the_others() {
        let first = merged("", &figure(Name::WritesPerHost, 3.0)).unwrap();
        let second = merged(&first, &figure(Name::IdleWrites, 0.0)).unwrap();
        let third = merged(&second, &figure(Name::WritesPerHost, 4.0)).unwrap();
        let read: Vec<Figure> = third.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, [figure(Name::IdleWrites, 0.0), figure(Name::WritesPerHost, 4.0)]);
    }

    #[test]
    fn a_line_cut_off_by_an_interruption_does_not_spoil_the_record() {
        let whole = merged("{\"name\": \"idle_wri", &figure(Name::WritesPerHost, 3.0)).unwrap();
        assert_eq!(whole.lines().count(), 1);
        assert_eq!(serde_json::from_str::<Figure>(whole.trim()).unwrap(), figure(Name::WritesPerHost, 3.0));
    }
}
