//! `trail show`: records for people.

use jiyun_trail::store::{
    query::Query,
    rows::{Page, Row, page},
};

use super::error::TrailError;
use crate::{
    args::{Output, TrailShow},
    book::{answer, table::Table},
};

/// Shows one page.
///
/// # Errors
/// When the files cannot be read.
pub fn run(arguments: &TrailShow) -> Result<(), TrailError> {
    let TrailShow { folder, department, actor, order, object, actions, from, until, after, limit, output } = arguments;
    let query = Query {
        department: department.clone(),
        from: *from,
        until: *until,
        actions: actions.clone(),
        actor: actor.clone(),
        order: order.clone(),
        object: object.clone(),
        after: after.clone(),
    };
    let page = page(&folder.path, query, usize::try_from(*limit).unwrap_or(usize::MAX))?;
    answer(&match output {
        Output::Table => table(&page),
        Output::Json => json(&page)?,
    })?;
    if page.damaged > 0 {
        eprintln!("{} damaged lines were passed over; `jiyun-controller trail verify` names them", page.damaged);
    }
    if let Some(next) = &page.next {
        eprintln!("there may be more: --after {next}");
    }
    Ok(())
}

fn json(page: &Page) -> Result<String, TrailError> {
    let mut text = String::new();
    for row in &page.rows {
        text.push_str(&serde_json::to_string(row).map_err(TrailError::Encode)?);
        text.push('\n');
    }
    Ok(text)
}

fn table(page: &Page) -> String {
    let mut table = Table::new(&[
        ("时间", "time"),
        ("操作人", "who"),
        ("来源", "from"),
        ("单位", "department"),
        ("操作", "action"),
        ("对象", "object"),
        ("结果", "result"),
        ("工单", "order"),
        ("编号", "record"),
    ]);
    for Row { writer, sequence, record, .. } in &page.rows {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let object = &record.object;
        let name = match &object.namespace {
            Some(namespace) => format!("{} {namespace}/{}", object.kind, object.name),
            None => format!("{} {}", object.kind, object.name),
        };
        let who = match &record.actor.on_behalf_of {
            Some(other) => format!("{} ({other})", record.actor.name),
            None => record.actor.name.clone(),
        };
        let cells = [
            record.at.to_string(),
            who,
            text(&record.source),
            text(&record.department),
            record.action.to_string(),
            name,
            record.result.to_string(),
            text(&record.order),
            format!("{writer}:{sequence}"),
        ];
        // Names come from outside: no control character of theirs reaches a terminal.
        table.row(cells.map(|cell| cell.replace(|letter: char| letter.is_control(), "?")).to_vec());
    }
    table.to_string()
}
