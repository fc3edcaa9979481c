//! A month's use as a table for spreadsheets: UTF-8 with a byte order mark, so that they show Chinese; one header row,
//! each column by its Chinese and its machine name; a last row with the sum.

use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};

use super::{Meter, UnpricedLine, Usage, UsageHolder, UsageLine, Used};

/// Tells spreadsheets that the text is UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What a cell must not begin with: spreadsheets take it for a formula (OWASP, "CSV Injection"). The wide forms count
/// too: input methods and some programs turn them into the plain ones.
const FORMULA_STARTS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// How many columns there are.
const COLUMNS: usize = 25;

/// The columns. Rows are of the same order and number.
const HEADER: [&str; COLUMNS] = [
    "序号(seq)",
    "账期(month)",
    "单位标识(department)",
    "单位名称(departmentName)",
    "预算单位(billingAccount)",
    "信息系统(system)",
    "资源名称(resource)",
    "规格(item)",
    "占用编号(claim)",
    "计量项(meter)",
    "架构(architecture)",
    "存储级别(tier)",
    "网络区域(zone)",
    "数量(quantity)",
    "单位(unit)",
    "起(from, 北京时间, 含)",
    "止(to, 北京时间, 不含)",
    "数量×秒(unitSeconds)",
    "价目(priceList)",
    "单价(price, 元)",
    "计价单位(priceUnit)",
    "金额(amount, 元)",
    "状态(state)",
    "划入自(receivedFrom)",
    "划出至(passedTo)",
];

/// The table of `usage`. Amounts are the statement's own, never computed again.
pub fn table(usage: &Usage) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(BYTE_ORDER_MARK.to_vec());
    writer.write_record(HEADER)?;
    let priced = usage.lines.iter().map(|line| (&line.used, Some(line), None));
    let unpriced = usage.unpriced.iter().map(|line| (&line.used, None, Some(line)));
    for (index, (used, line, without)) in priced.chain(unpriced).enumerate() {
        writer.write_record(row(usage, index + 1, used, line, without))?;
    }
    writer.write_record(total(usage))?;
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

fn row(
    usage: &Usage,
    number: usize,
    used: &Used,
    line: Option<&UsageLine>,
    unpriced: Option<&UnpricedLine>,
) -> [String; COLUMNS] {
    let dimension = |value: &Option<String>| text(value.as_deref().unwrap_or_default());
    let price_list = line.map(|line| line.price_list.as_str()).or_else(|| unpriced?.price_list.as_deref());
    [
        number.to_string(),
        usage.month.clone(),
        text(&usage.department),
        text(&usage.display_name),
        text(&usage.billing_account),
        text(&used.system),
        text(&used.resource),
        text(&used.item),
        text(&used.claim),
        meter(used.meter).to_owned(),
        dimension(&used.architecture),
        dimension(&used.tier),
        dimension(&used.zone),
        used.quantity.to_string(),
        unit(used.meter).to_owned(),
        beijing(used.from),
        beijing(used.to),
        used.unit_seconds.clone(),
        text(price_list.unwrap_or_default()),
        line.map(|line| line.price.clone()).unwrap_or_default(),
        line.map(|line| price_unit(&line.price_unit)).unwrap_or_default(),
        line.map_or_else(|| "未定价".to_owned(), |line| line.amount.clone()),
        state(usage).to_owned(),
        party(used.received_from.as_ref()),
        party(used.passed_to.as_ref()),
    ]
}

/// The other party of a handover: department, system and resource there.
fn party(holder: Option<&UsageHolder>) -> String {
    let named = |holder: &UsageHolder| format!("{}/{}/{}", holder.department, holder.system, holder.resource);
    text(&holder.map(named).unwrap_or_default())
}

fn total(usage: &Usage) -> [String; COLUMNS] {
    let mut row: [String; COLUMNS] = std::array::from_fn(|_| String::new());
    let cells = [
        (0, "合计".to_owned()),
        (1, usage.month.clone()),
        (2, text(&usage.department)),
        (3, text(&usage.display_name)),
        (4, text(&usage.billing_account)),
        (15, beijing(usage.from)),
        (16, beijing(usage.as_of)),
        (21, usage.total.clone()),
        (22, state(usage).to_owned()),
    ];
    for (column, cell) in cells {
        if let Some(place) = row.get_mut(column) {
            *place = cell;
        }
    }
    row
}

/// Whether the figures are final. Use without a price keeps them from being so.
fn state(usage: &Usage) -> &'static str {
    match (usage.provisional, usage.unpriced.is_empty()) {
        (true, _) => "暂计",
        (false, false) => "不完整",
        (false, true) => "已结束",
    }
}

/// A text of people's making, made harmless: an apostrophe before what a spreadsheet would take for a formula.
fn text(cell: &str) -> String {
    let trimmed = cell.trim_start_matches([' ', '\u{3000}', '\n']);
    if trimmed.starts_with(FORMULA_STARTS) { format!("'{cell}") } else { cell.to_owned() }
}

fn meter(meter: Meter) -> &'static str {
    match meter {
        Meter::Hosts => "云主机",
        Meter::Vcpu => "vCPU",
        Meter::Memory => "内存",
        Meter::BlockStorage => "块存储",
        Meter::Gpus => "加速卡",
        Meter::FileStorage => "文件存储",
        Meter::ObjectStorage => "对象存储",
        Meter::BackupStorage => "备份存储",
        Meter::DatabaseInstances => "数据库实例",
        Meter::ProtectedCapacity => "容灾保护容量",
        Meter::Bandwidth => "公网带宽",
        Meter::PublicIps => "公网地址",
    }
}

fn unit(meter: Meter) -> &'static str {
    match meter {
        Meter::Hosts => "台",
        Meter::Vcpu => "核",
        Meter::Gpus => "卡",
        Meter::DatabaseInstances => "实例",
        Meter::Bandwidth => "Mbps",
        Meter::PublicIps => "个",
        Meter::Memory
        | Meter::BlockStorage
        | Meter::FileStorage
        | Meter::ObjectStorage
        | Meter::BackupStorage
        | Meter::ProtectedCapacity => "MiB",
    }
}

fn price_unit(code: &str) -> String {
    match code {
        "CoreMonth" => "核·月",
        "GiBMonth" => "GiB·月",
        "HostMonth" => "台·月",
        "GpuMonth" => "卡·月",
        "InstanceMonth" => "实例·月",
        "MbpsMonth" => "Mbps·月",
        "AddressMonth" => "个·月",
        other => other,
    }
    .to_owned()
}

/// Beijing time, which has had no summer time since 1991.
fn beijing(at: Timestamp) -> String {
    at.to_zoned(TimeZone::fixed(Offset::constant(8))).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_takes_for_a_formula_is_made_text() {
        for bad in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "\n@x"] {
            assert_eq!(text(bad), format!("'{bad}"));
        }
        for good in ["", "web-1", "财政局", "a=b"] {
            assert_eq!(text(good), good);
        }
    }

    #[test]
    fn times_are_those_of_beijing() {
        assert_eq!(beijing("2026-10-31T16:00:00Z".parse().unwrap()), "2026-11-01 00:00:00");
    }
}
