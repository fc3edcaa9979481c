//! Words and amounts inside a sentence: the name of a meter or a kind, a quantity with its unit.

use crate::{Language, Parameters};

/// Parameters that count the meter named beside them (parameter `meter`), in the ledger's base unit.
const AMOUNTS: [&str; 9] =
    ["limit", "used", "held", "requested", "missing", "available", "capacity", "promised", "own"];

/// Parameters that name a meter, or several.
const METERS: [&str; 2] = ["meter", "meters"];

/// Who raises a limit where nobody is named.
const PLATFORM: &str = "platform";

/// Parameters that name an object: its kind, alone or with its name behind.
const OBJECTS: [&str; 2] = ["kind", "what"];

/// The parameter that quotes a rule or a parser, which cannot know its reader: Chinese, then English in brackets.
const PROBLEM: &str = "problem";

/// The value of one parameter as a person reads it.
pub(crate) fn shown(name: &str, parameters: &Parameters, language: Language) -> Option<String> {
    if name == "dimensions" {
        return Some(dimensions(parameters, language));
    }
    if name == "nextRelease" {
        return Some(next_release(parameters.get(name), language));
    }
    if name == "raisedBy" {
        return Some(raised_by(parameters.get(name).map_or(PLATFORM, String::as_str), language));
    }
    let value = parameters.get(name)?;
    if METERS.contains(&name) {
        let joint = match language {
            Language::Chinese => "、",
            Language::English => ", ",
        };
        return Some(value.split(", ").map(|each| meter(each, language)).collect::<Vec<_>>().join(joint));
    }
    if name == "until" {
        return Some(beijing(value, language));
    }
    if AMOUNTS.contains(&name)
        && let Some(meter) = parameters.get("meter")
    {
        return Some(amount(value, meter, language));
    }
    if OBJECTS.contains(&name) {
        return Some(object(value, language));
    }
    if name == PROBLEM {
        return Some(spoken(value, language).to_owned());
    }
    Some(value.clone())
}

/// An object by its kind's word and its name. English keeps the kind as manifests write it.
fn object(value: &str, language: Language) -> String {
    let (kind, name) = value.split_once(' ').map_or((value, None), |(kind, name)| (kind, Some(name)));
    let kind = match language {
        Language::Chinese => chinese_kind(kind),
        Language::English => kind,
    };
    name.map_or_else(|| kind.to_owned(), |name| format!("{kind} {name}"))
}

fn chinese_kind(kind: &str) -> &str {
    match kind {
        "Approval" => "审批意见",
        "CephObjectStoreUser" => "对象存储用户",
        "CloudBucket" => "对象存储桶",
        "CloudDatabase" => "云数据库",
        "CloudHost" => "云主机",
        "CloudSnapshot" => "云快照",
        "CloudVolume" => "云硬盘",
        "Cluster" => "数据库集群",
        "ComputePool" => "计算资源池",
        "DatabaseClass" => "云数据库规格",
        "Department" => "单位",
        "Handover" => "移交",
        "HostClass" => "云主机规格",
        "HostImage" => "镜像",
        "InformationSystem" => "信息系统",
        "NetworkFlow" => "网络互访",
        "NetworkPolicy" => "网络策略",
        "NetworkZone" => "网络区域",
        "ObjectBucket" => "对象存储桶登记",
        "ObjectBucketClaim" => "对象存储桶声明",
        "Order" => "申请单",
        "PriceList" => "价目",
        "Secret" => "凭据",
        "Site" => "数据中心",
        "StorageClass" => "存储类",
        "StoragePool" => "存储资源池",
        "VirtualMachine" => "虚拟机",
        "VirtualMachineInstance" => "虚拟机实例",
        "VolumeSnapshot" => "卷快照",
        "VolumeSnapshotClass" => "快照类",
        "DataVolume" => "数据卷",
        "PersistentVolumeClaim" => "存储卷",
        "catalogue" => "云服务目录",
        other => other,
    }
}

/// The half of `中文 (English)` that is in the reader's language; all of what is not written so.
fn spoken(value: &str, language: Language) -> &str {
    let halves = value.strip_suffix(')').and_then(|value| value.split_once(" ("));
    match (halves, language) {
        (Some((chinese, _)), _) if chinese.is_ascii() => value,
        (Some((chinese, _)), Language::Chinese) => chinese,
        (Some((_, english)), Language::English) => english,
        (None, _) => value,
    }
}

/// What a limit or a search is confined to: `dimensions` as the ledger writes them (`architecture=amd64,tier=standard`),
/// or the single facts beside them; everything where there are none.
fn dimensions(parameters: &Parameters, language: Language) -> String {
    let written = parameters.get("dimensions").map(String::as_str).unwrap_or_default();
    let pairs = written.split(',').filter_map(|pair| pair.split_once('='));
    let single = ["architecture", "tier"].into_iter();
    let single = single.filter_map(|name| parameters.get(name).map(|value| (name, value.as_str())));
    let shown: Vec<_> =
        pairs.chain(single).map(|(name, value)| format!("{} {value}", dimension(name, language))).collect();
    match (shown.is_empty(), language) {
        (true, Language::Chinese) => "全部".to_owned(),
        (true, Language::English) => "everything".to_owned(),
        (false, Language::Chinese) => shown.join("、"),
        (false, Language::English) => shown.join(", "),
    }
}

/// A sentence of its own, so that none is left where no hold ends.
fn next_release(at: Option<&String>, language: Language) -> String {
    let Some(at) = at else { return String::new() };
    let shown = beijing(at, language);
    match language {
        Language::Chinese => format!("本单位预占的资源将于 {shown}释放。"),
        Language::English => format!("What your department has on hold is free again at {shown}. "),
    }
}

/// A moment in China's time, as people there read it; as it is where it is no moment.
fn beijing(at: &str, language: Language) -> String {
    let Ok(moment) = at.parse::<jiff::Timestamp>() else { return at.to_owned() };
    let local = jiff::tz::Offset::constant(8).to_datetime(moment).strftime("%Y-%m-%d %H:%M");
    match language {
        Language::Chinese => format!("{local}（北京时间）"),
        Language::English => format!("{local} (Beijing time)"),
    }
}

/// Who can raise a limit: the platform, or the department above.
fn raised_by(who: &str, language: Language) -> String {
    match (who, language) {
        (PLATFORM, Language::Chinese) => "平台运营人员".to_owned(),
        (PLATFORM, Language::English) => "the platform operators".to_owned(),
        (unit, Language::Chinese) => format!("上级单位 {unit} 或平台运营人员"),
        (unit, Language::English) => format!("the parent unit {unit} or the platform operators"),
    }
}

fn dimension(code: &str, language: Language) -> &str {
    match (code, language) {
        ("pool", Language::Chinese) => "资源池",
        ("architecture", Language::Chinese) => "架构",
        ("tier", Language::Chinese) => "存储级别",
        ("tier", Language::English) => "storage tier",
        ("zone", Language::Chinese) => "网络区域",
        ("zone", Language::English) => "network zone",
        (other, _) => other,
    }
}

fn meter(code: &str, language: Language) -> &str {
    match (code, language) {
        ("Vcpu", _) => "vCPU",
        ("Memory", Language::Chinese) => "内存",
        ("Memory", Language::English) => "memory",
        ("Hosts", Language::Chinese) => "云主机",
        ("Hosts", Language::English) => "cloud hosts",
        ("BlockStorage", Language::Chinese) => "块存储",
        ("BlockStorage", Language::English) => "block storage",
        ("FileStorage", Language::Chinese) => "文件存储",
        ("FileStorage", Language::English) => "file storage",
        ("ObjectStorage", Language::Chinese) => "对象存储",
        ("ObjectStorage", Language::English) => "object storage",
        ("BackupStorage", Language::Chinese) => "备份存储",
        ("BackupStorage", Language::English) => "backup storage",
        ("Gpus", Language::Chinese) => "加速卡",
        ("Gpus", Language::English) => "accelerators",
        ("DatabaseInstances", Language::Chinese) => "数据库实例",
        ("DatabaseInstances", Language::English) => "database instances",
        ("ProtectedCapacity", Language::Chinese) => "容灾保护容量",
        ("ProtectedCapacity", Language::English) => "protected capacity",
        ("Bandwidth", Language::Chinese) => "公网带宽",
        ("Bandwidth", Language::English) => "public bandwidth",
        ("PublicIps", Language::Chinese) => "公网地址",
        ("PublicIps", Language::English) => "public addresses",
        (other, _) => other,
    }
}

/// Base units (MiB for memory and storage) as the largest unit that keeps the number whole.
fn amount(value: &str, meter: &str, language: Language) -> String {
    match (meter, value.parse::<u64>(), language) {
        (
            "Memory" | "BlockStorage" | "FileStorage" | "ObjectStorage" | "BackupStorage" | "ProtectedCapacity",
            Ok(mebibytes),
            _,
        ) => mebibytes_shown(mebibytes),
        ("Vcpu", Ok(_), Language::Chinese) => format!("{value} 核"),
        ("Hosts", Ok(_), Language::Chinese) => format!("{value} 台"),
        _ => value.to_owned(),
    }
}

pub(crate) fn mebibytes_shown(mebibytes: u64) -> String {
    const GIB: u64 = 1024;
    const TIB: u64 = 1024 * GIB;
    match mebibytes {
        0 => "0 GiB".to_owned(),
        n if n % TIB == 0 => format!("{} TiB", n / TIB),
        n if n % GIB == 0 => format!("{} GiB", n / GIB),
        n => format!("{n} MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters;

    #[test]
    fn amounts_carry_the_unit_of_the_meter_beside_them() {
        let memory = parameters([("meter", "Memory"), ("limit", "819200"), ("used", "1536"), ("missing", "2097152")]);
        assert_eq!(shown("limit", &memory, Language::English).as_deref(), Some("800 GiB"));
        assert_eq!(shown("used", &memory, Language::English).as_deref(), Some("1536 MiB"));
        assert_eq!(shown("missing", &memory, Language::English).as_deref(), Some("2 TiB"));
        assert_eq!(shown("meter", &memory, Language::Chinese).as_deref(), Some("内存"));
        let hosts = parameters([("meter", "Hosts"), ("limit", "3")]);
        assert_eq!(shown("limit", &hosts, Language::Chinese).as_deref(), Some("3 台"));
    }

    #[test]
    fn a_scope_is_named_in_words_and_no_scope_is_everything() {
        let scoped = parameters([("dimensions", "architecture=arm64,zone=internet")]);
        assert_eq!(
            shown("dimensions", &scoped, Language::English).as_deref(),
            Some("architecture arm64, network zone internet")
        );
        assert_eq!(shown("dimensions", &scoped, Language::Chinese).as_deref(), Some("架构 arm64、网络区域 internet"));
        let facts = parameters([("tier", "extreme")]);
        assert_eq!(shown("dimensions", &facts, Language::English).as_deref(), Some("storage tier extreme"));
        assert_eq!(shown("dimensions", &Parameters::new(), Language::Chinese).as_deref(), Some("全部"));
    }

    #[test]
    fn several_meters_and_a_moment_are_read_in_the_readers_language() {
        let above = parameters([("meters", "Vcpu, Memory"), ("until", "2026-11-30T18:00:00Z")]);
        assert_eq!(shown("meters", &above, Language::Chinese).as_deref(), Some("vCPU、内存"));
        assert_eq!(shown("meters", &above, Language::English).as_deref(), Some("vCPU, memory"));
        assert_eq!(shown("until", &above, Language::Chinese).as_deref(), Some("2026-12-01 02:00（北京时间）"));
        assert_eq!(shown("until", &above, Language::English).as_deref(), Some("2026-12-01 02:00 (Beijing time)"));
        let before_this_was_told = shown("raisedBy", &above, Language::English);
        assert_eq!(before_this_was_told.as_deref(), Some("the platform operators"));
    }

    #[test]
    fn an_object_is_named_by_its_kinds_word_and_keeps_its_name() {
        let host = parameters([("what", "CloudHost finance/web-1"), ("kind", "HostClass")]);
        assert_eq!(shown("what", &host, Language::Chinese).as_deref(), Some("云主机 finance/web-1"));
        assert_eq!(shown("what", &host, Language::English).as_deref(), Some("CloudHost finance/web-1"));
        assert_eq!(shown("kind", &host, Language::Chinese).as_deref(), Some("云主机规格"));
        let path = parameters([("what", "/v1/nothing")]);
        assert_eq!(shown("what", &path, Language::Chinese).as_deref(), Some("/v1/nothing"));
    }

    #[test]
    fn a_rule_in_two_languages_is_told_in_the_readers() {
        let rule = parameters([("problem", "内存须在 1 至 4 之间 (memory must be 1 to 4)")]);
        assert_eq!(shown("problem", &rule, Language::Chinese).as_deref(), Some("内存须在 1 至 4 之间"));
        assert_eq!(shown("problem", &rule, Language::English).as_deref(), Some("memory must be 1 to 4"));
        for whole in ["must be (very) small (really)", "只有中文", "Required value"] {
            let odd = parameters([("problem", whole)]);
            assert_eq!(shown("problem", &odd, Language::Chinese).as_deref(), Some(whole));
        }
    }

    #[test]
    fn what_is_no_number_is_shown_as_it_came() {
        let odd = parameters([("meter", "Memory"), ("limit", "plenty")]);
        assert_eq!(shown("limit", &odd, Language::English).as_deref(), Some("plenty"));
    }
}
