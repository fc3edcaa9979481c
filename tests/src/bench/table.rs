//! Figures as a table for people: one row a figure, its notes below.

use std::fmt::Write as _;

use super::{
    Figure,
    figure::{Better, Judged},
};

const HEAD: [&str; 6] = ["figure", "ours", "reference", "ratio", "goal", "met"];

/// The table, with a line end after each row.
pub fn render(figures: &[Figure]) -> String {
    let rows: Vec<[String; 6]> = figures.iter().map(row).collect();
    let widths: Vec<usize> = HEAD
        .iter()
        .enumerate()
        .map(|(column, head)| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([head.len()]).max().unwrap_or_default()
        })
        .collect();
    let mut text = line(&HEAD.map(str::to_owned), &widths);
    for (figure, row) in figures.iter().zip(&rows) {
        text.push_str(&line(row, &widths));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    reference: {} ({} runs)", figure.what_reference_is, figure.runs);
        for note in &figure.notes {
            let _ = writeln!(text, "    {note}");
        }
    }
    text
}

fn row(figure: &Figure) -> [String; 6] {
    let sign = match figure.better {
        Better::Higher => "≥",
        Better::Lower => "≤",
    };
    let judged = match figure.judged {
        Judged::Ratio => "ratio",
        Judged::Ours => "ours",
    };
    [
        figure.name.to_string(),
        format!("{} {}", rounded(figure.ours), figure.unit),
        format!("{} {}", rounded(figure.reference), figure.unit),
        figure.ratio.map_or_else(|| "-".to_owned(), rounded),
        format!("{judged} {sign} {}", rounded(figure.goal)),
        if figure.met { "yes" } else { "NO" }.to_owned(),
    ]
}

/// Three decimals below ten, one below a thousand, none above: more is noise.
fn rounded(value: f64) -> String {
    let decimals = match value.abs() {
        small if small < 10.0 => 3,
        medium if medium < 1000.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn line(cells: &[String; 6], widths: &[usize]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
        .collect();
    padded.join("  ").trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{
        Name,
        figure::{Comparison, Goal},
    };

    fn figures() -> Vec<Figure> {
        let comparison = |ours, reference, unit: &str| Comparison {
            ours,
            reference,
            what_reference_is: "the replay".into(),
            unit: unit.into(),
            runs: 3,
            notes: vec!["a loss is told".into()],
        };
        let higher = Goal { value: 0.85, better: Better::Higher, judged: Judged::Ratio };
        let lower = Goal { value: 0.0, better: Better::Lower, judged: Judged::Ours };
        vec![
            Figure::new(Name::BringupVsRoofline, comparison(61.26, 100.0, "hosts/s"), higher),
            Figure::new(Name::IdleWrites, comparison(0.0, 0.0, "writes"), lower),
        ]
    }

    #[test]
    fn a_missed_goal_is_shown_as_loudly_as_a_reached_one() {
        let text = render(&figures());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("bringup_vs_roofline  61.3 hosts/s"), "{text}");
        assert!(lines[1].ends_with("ratio ≥ 0.85  NO"), "{text}");
        assert!(lines[2].contains("reference: the replay (3 runs)"), "{text}");
        assert_eq!(lines[3], "    a loss is told");
        assert!(lines[4].contains("  -  ") && lines[4].ends_with("yes"), "{text}");
    }

    #[test]
    fn columns_begin_at_the_same_place_in_every_row() {
        let text = render(&figures());
        let place = |line: &str, word: &str| line.find(word).map(|at| line[..at].chars().count());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(place(lines[0], "ours"), place(lines[1], "61.3"));
        assert_eq!(place(lines[0], "goal"), place(lines[1], "ratio ≥"));
        assert_eq!(place(lines[0], "goal"), place(lines[4], "ours ≤"));
    }

    #[test]
    fn numbers_are_shown_as_precisely_as_they_are_known() {
        assert_eq!(rounded(0.8512), "0.851");
        assert_eq!(rounded(4.0), "4");
        assert_eq!(rounded(61.26), "61.3");
        assert_eq!(rounded(12_345.6), "12346");
        assert_eq!(rounded(100.0), "100");
        assert_eq!(rounded(0.0), "0");
    }
}
