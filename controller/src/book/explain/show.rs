//! An explanation for people: one part per row of the balance, Chinese beside English.

use std::fmt::Write;

use jiyun_ledger::{ClaimStage, Dimensions, Meter};

use super::{
    super::table::Table,
    rows::{ClaimLine, Explanation, Part, UnitLine},
};

/// The explanation as text.
pub fn table(explanation: &Explanation) -> String {
    let Explanation { account, display_name, revision, as_of, parts } = explanation;
    let mut text = format!("{account} ({display_name}), entry {revision} of {as_of}\n");
    if parts.is_empty() {
        text.push_str("\nnothing is held, used or limited (无占用)\n");
    }
    for part in parts {
        text.push('\n');
        text.push_str(&of_part(part));
    }
    text
}

fn of_part(part: &Part) -> String {
    let row = &part.balance;
    let kind = if row.dimensions == Dimensions::default() { String::new() } else { format!(" ({})", row.dimensions) };
    let mut text = format!("{} {}{kind}, {}\n", chinese(row.meter), row.meter, part.unit);
    let mut claims = Table::new(&[
        ("对象", "object"),
        ("单位", "account"),
        ("系统", "system"),
        ("规格", "item"),
        ("资源池", "pool"),
        ("数量", "quantity"),
        ("状态", "stage"),
        ("起", "since"),
        ("批准", "granted by"),
        ("变更", "changed by"),
        ("划入自", "received from"),
    ]);
    part.claims.iter().for_each(|line| claims.row(of_claim(line)));
    if !claims.is_empty() {
        text.push_str(&claims.to_string());
    }
    let mut units = Table::new(&[
        ("下级单位", "unit"),
        ("占用", "held + used"),
        ("保底", "floor"),
        ("上限", "limit"),
        ("预留", "kept free"),
    ]);
    part.units.iter().for_each(|unit| units.row(of_unit(unit)));
    if !units.is_empty() {
        units.row(vec!["本单位 own claims".to_owned(), part.own.to_string()]);
        text.push_str(&units.to_string());
    }
    let total = row.used.saturating_add(row.held);
    let limit = row.limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
    let available = row.available.map_or_else(|| "not limited here".to_owned(), |much| much.to_string());
    // Writing into a text cannot fail.
    let _ = writeln!(
        text,
        "合计 sum {}: 已用 used {} + 在途 held {} = {total}\n\
         上限 limit {limit}, 保底 floor {}, 借用 borrowed {}, 为下级保底预留 kept free below {}, 可用 available {available}",
        part.sum, row.used, row.held, row.guaranteed, row.borrowed, part.kept_free_below,
    );
    if row.over_limit() {
        text.push_str("超出上限 over its limit: nothing can grow\n");
    }
    if !part.adds_up {
        text.push_str("不平 does not add up: run `jiyun-controller ledger verify`\n");
    }
    text
}

fn of_claim(line: &ClaimLine) -> Vec<String> {
    let stage = match (line.stage, line.held_until) {
        (ClaimStage::Held, Some(until)) => format!("预占 held until {until}"),
        (ClaimStage::Held, None) => "预占 held".to_owned(),
        (ClaimStage::Reserved, _) => "已批准 reserved".to_owned(),
        (ClaimStage::Billable, _) => "使用中 billable".to_owned(),
        (ClaimStage::Ending, _) => "退订中 ending".to_owned(),
        (ClaimStage::Released, _) => "已释放 released".to_owned(),
    };
    vec![
        line.object.clone(),
        line.account.to_string(),
        line.system.clone(),
        line.item.clone(),
        line.pool.to_string(),
        line.quantity.to_string(),
        stage,
        line.since.to_string(),
        line.granted.to_string(),
        line.changed.to_string(),
        line.received_from
            .iter()
            .map(|from| format!("{}/{}", from.account, from.resource))
            .collect::<Vec<_>>()
            .join(", "),
    ]
}

fn of_unit(unit: &UnitLine) -> Vec<String> {
    vec![
        unit.account.to_string(),
        unit.held.saturating_add(unit.used).to_string(),
        unit.guaranteed.to_string(),
        unit.limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string()),
        unit.kept_free.to_string(),
    ]
}

/// The meter as Chinese readers know it.
const fn chinese(meter: Meter) -> &'static str {
    match meter {
        Meter::Hosts => "云主机",
        Meter::Vcpu => "vCPU 核",
        Meter::Memory => "内存",
        Meter::Gpus => "加速卡",
        Meter::BlockStorage => "块存储",
        Meter::FileStorage => "文件存储",
        Meter::ObjectStorage => "对象存储",
        Meter::BackupStorage => "备份存储",
        Meter::DatabaseInstances => "数据库实例",
        Meter::ProtectedCapacity => "容灾保护容量",
        Meter::Bandwidth => "公网带宽",
        Meter::PublicIps => "公网地址",
    }
}
