//! Validation rules (CEL) that several kinds share, with messages a clerk can read: Chinese first, then English.
//!
//! A rule never fails to evaluate on odd input where that can be helped, because the API server's own message would
//! then hide ours.

use kube::core::Rule;

/// A DNS label (RFC 1123) as a regular expression, without its length.
const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// DNS labels joined by dots (a subdomain, RFC 1123), without its length.
const SUBDOMAIN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// The text of a rule that forbids any change.
pub const UNCHANGED: &str = "self == oldSelf";

/// A field that keeps the value it was created with. Place it on a required or defaulted field only: an optional one
/// could be left out and added again.
pub fn immutable(what_zh: &str, what_en: &str) -> Rule {
    Rule::new(UNCHANGED).message(&*format!("{what_zh}创建后不可修改 ({what_en} cannot be changed once created)"))
}

/// The text of a rule on the parent of an optional field: it is neither added nor taken away. With it, what lies below the
/// field may be [`immutable`].
pub fn presence(field: &str) -> String {
    format!("has(self.{field}) == has(oldSelf.{field})")
}

/// An optional field that is there from the beginning or never. Placed on its parent.
pub fn there_or_not(what_zh: &str, field: &str) -> Rule {
    Rule::new(presence(field))
        .message(&*format!("{what_zh}只能在创建时设置，不能补设或取消 ({field} is set at creation, or never)"))
}

/// A restore is asked for while nothing runs on the disk; what was asked for before stays whatever is done since.
fn restored_while(is_free: &str) -> Rule {
    let is_new = "has(self.restore) && (!has(oldSelf.restore) || self.restore != oldSelf.restore)";
    Rule::new(format!("!({is_new}) || {is_free}")).field_path(".restore")
}

/// The system disk of a host is restored while the host is off; see [`restored_while`].
pub fn restored_while_off() -> Rule {
    restored_while("self.power == 'Stopped'")
        .message("云主机关机后才能恢复：请先将 power 设为 Stopped (a host is restored while it is off: set power to Stopped first)")
}

/// A volume is restored while no host has it; see [`restored_while`].
pub fn restored_while_detached() -> Rule {
    restored_while("!has(self.hostRef)").message(
        "云硬盘卸载后才能恢复：请先去掉 hostRef (a volume is restored while no host has it: take hostRef out first)",
    )
}

/// Only disks have snapshots.
pub fn snapshots_of_disks() -> Rule {
    Rule::new("!has(self.snapshotClassName) || !has(self.storageType) || self.storageType == 'Block'")
        .field_path(".snapshotClassName")
        .message("只有块存储资源池才能设置快照类 (snapshotClassName goes with storageType Block only)")
}

/// The object's own name, where other names are derived from it: a DNS label of at most 40 characters
/// ([`crate::names::MAX_NAME_LENGTH`]).
pub fn short_name() -> Rule {
    Rule::new(format!("self.metadata.name.size() <= 40 && self.metadata.name.matches('{LABEL}')")).message(
        "名称须由小写字母、数字和连字符组成，以字母或数字开头和结尾，不超过 40 个字符 \
         (metadata.name must be lower-case letters, digits and hyphens, at most 40 characters)",
    )
}

/// The object's own name, where services of the network are named after it: as [`short_name`], beginning with a letter.
pub fn service_name() -> Rule {
    Rule::new("self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message(
        "名称须由小写字母、数字和连字符组成，以字母开头，以字母或数字结尾，不超过 40 个字符 \
         (metadata.name must be lower-case letters, digits and hyphens, beginning with a letter, at most 40 characters)",
    )
}

/// The object's own name, where others refer to it and labels carry it: at most 63 characters.
pub fn referable_name() -> Rule {
    Rule::new("self.metadata.name.size() <= 63")
        .message("名称不超过 63 个字符 (metadata.name must have at most 63 characters)")
}

/// A name of another object.
pub fn reference() -> Rule {
    Rule::new(format!("self.size() <= 63 && self.matches('{SUBDOMAIN}')")).message(
        "引用的名称须由小写字母、数字、连字符和点组成，不超过 63 个字符 \
         (the name referred to must be lower-case letters, digits, hyphens and dots, at most 63 characters)",
    )
}

/// A list of names of other objects, with at least one entry.
pub fn references(what_zh: &str, what_en: &str) -> Rule {
    Rule::new(format!("self.size() >= 1 && self.all(n, n.size() <= 63 && n.matches('{SUBDOMAIN}'))")).message(
        &*format!(
            "{what_zh}至少填写一项，且每项须为小写字母、数字、连字符和点组成的名称 \
         ({what_en} must hold at least one name of lower-case letters, digits, hyphens and dots)"
        ),
    )
}

/// A word that also appears in labels and prices, e.g. a storage tier.
pub fn label(what_zh: &str, what_en: &str) -> Rule {
    Rule::new(format!("self.size() <= 63 && self.matches('{LABEL}')")).message(&*format!(
        "{what_zh}须由小写字母、数字和连字符组成，不超过 63 个字符 \
         ({what_en} must be lower-case letters, digits and hyphens, at most 63 characters)"
    ))
}

/// A word that becomes a part of a label.
pub fn short_label(what_zh: &str, what_en: &str) -> Rule {
    Rule::new(format!("self.size() <= 20 && self.matches('{LABEL}')")).message(&*format!(
        "{what_zh}须由小写字母、数字和连字符组成，不超过 20 个字符 \
         ({what_en} must be lower-case letters, digits and hyphens, at most 20 characters)"
    ))
}

/// One line of text that is not blank.
pub fn line(what_zh: &str, what_en: &str) -> Rule {
    Rule::new(r"self.matches('^[^\\s\\p{C}]([^\\p{C}]*[^\\s\\p{C}])?$')").message(&*format!(
        "{what_zh}须为一行文字，不能为空，首尾不能有空格 \
         ({what_en} must be one line of text, not empty, without blanks at either end)"
    ))
}

/// An integer within bounds, both included.
pub fn between(what_zh: &str, what_en: &str, least: u64, most: u64) -> Rule {
    Rule::new(format!("self >= {least} && self <= {most}"))
        .message(&*format!("{what_zh}须在 {least} 至 {most} 之间 ({what_en} must be {least} to {most})"))
}

/// An amount of memory or storage within bounds, both included, in whole MiB.
pub fn size(what_zh: &str, what_en: &str, least: &str, most: &str) -> Rule {
    Rule::new(size_within("self", least, most)).message(&*format!(
        "{what_zh}须为整数加单位 Mi、Gi、Ti 或 Pi，在 {least} 至 {most} 之间，例如 64Gi \
         ({what_en} must be a whole number with Mi, Gi, Ti or Pi, from {least} to {most}, for example 64Gi)"
    ))
}

/// The expression behind [`size`], for rules that look at several fields.
///
/// Whole MiB, the account book's unit, follow from the notation. CEL's `isInteger` would be no use: it says no to `1Pi`
/// and `300Ti`, which Kubernetes keeps as big decimals although they fit into 64 bits.
pub fn size_within(expression: &str, least: &str, most: &str) -> String {
    format!(
        "{expression}.matches('^(0|[1-9][0-9]{{0,12}}(Mi|Gi|Ti|Pi|Ei))$') && \
         quantity({expression}).compareTo(quantity('{least}')) >= 0 && \
         quantity({expression}).compareTo(quantity('{most}')) <= 0"
    )
}

/// The system disk of a host does not become smaller than it was granted. Compared with the grant and not with the last
/// wish, so that a growth that nobody has granted can be taken back; only where the size changes, so that the status of a
/// host can always be written.
pub fn disk_keeps_its_size() -> Rule {
    let (wish, granted) = ("self.spec.systemDisk.size", "self.status.granted.systemDiskSize");
    Rule::new(format!(
        "{wish} == oldSelf.spec.systemDisk.size || !has(self.status) || !has(self.status.granted) || \
         !isQuantity({wish}) || !isQuantity({granted}) || quantity({wish}).compareTo(quantity({granted})) >= 0"
    ))
    .field_path(".spec.systemDisk.size")
    .message(
        "已批准的系统盘只能扩大，不能缩小；需要更小的系统盘时，请另申请一台云主机并迁移数据 \
         (systemDisk.size can grow, never shrink below what was granted; for a smaller disk order another host and copy to it)",
    )
}

/// A volume does not become smaller than it was granted; see [`disk_keeps_its_size`].
pub fn volume_keeps_its_size() -> Rule {
    size_not_below_granted().message(
        "已批准的云硬盘只能扩大，不能缩小；需要更小的云硬盘时，请另申请一块并迁移数据 \
         (size can grow, never shrink below what was granted; for a smaller volume order another and copy to it)",
    )
}

/// A bucket does not become smaller than it was granted, for nobody here knows what lies in it; see [`disk_keeps_its_size`].
pub fn bucket_keeps_its_size() -> Rule {
    size_not_below_granted().message(
        "已批准的对象存储桶只能扩大，不能缩小；需要更小的对象存储桶时，请另申请一个并迁移数据 \
         (size can grow, never shrink below what was granted; for a smaller bucket order another and copy to it)",
    )
}

/// The storage of a database's instances does not become smaller than it was granted; see [`disk_keeps_its_size`].
pub fn database_keeps_its_size() -> Rule {
    let (wish, granted) = ("self.spec.storage.size", "self.status.granted.storageSize");
    Rule::new(format!(
        "{wish} == oldSelf.spec.storage.size || !has(self.status) || !has(self.status.granted) || \
         !isQuantity({wish}) || !isQuantity({granted}) || quantity({wish}).compareTo(quantity({granted})) >= 0"
    ))
    .field_path(".spec.storage.size")
    .message(
        "已批准的云数据库存储容量（status.granted.storageSize）只能扩大，不能缩小；需要更小的容量时，请另申请一个云数据库并迁移数据 \
         (storage.size can grow, never shrink below what was granted, see status.granted.storageSize; for less order another \
         database and copy to it)",
    )
}

/// `spec.size` is not below `status.grantedSize`; see [`disk_keeps_its_size`].
fn size_not_below_granted() -> Rule {
    let (wish, granted) = ("self.spec.size", "self.status.grantedSize");
    Rule::new(format!(
        "{wish} == oldSelf.spec.size || !has(self.status) || !has({granted}) || \
         !isQuantity({wish}) || !isQuantity({granted}) || quantity({wish}).compareTo(quantity({granted})) >= 0"
    ))
    .field_path(".spec.size")
}

/// A major version as vendors write it: `17`, or `8.4`.
pub fn major_version(what_zh: &str, what_en: &str) -> Rule {
    Rule::new("self.matches('^[1-9][0-9]{0,2}([.][0-9]{1,3})?$')")
        .message(&*format!("{what_zh}须为主版本号，例如 17 ({what_en} must be a major version such as 17)"))
}

/// A container image by its registry, name and tag or digest.
pub fn container_image(what_zh: &str, what_en: &str) -> Rule {
    Rule::new("self.matches('^[a-z0-9][a-zA-Z0-9._:/@-]*[:@][a-zA-Z0-9._:-]+$')").message(&*format!(
        "{what_zh}须写明镜像仓库、名称和标签，例如 registry.example/postgresql:17.6 \
         ({what_en} must name registry, image and tag, such as registry.example/postgresql:17.6)"
    ))
}

/// A department is not the parent of itself; longer cycles are found by the controller.
pub fn not_its_own_parent() -> Rule {
    Rule::new("!has(self.spec.parentRef) || self.spec.parentRef.name != self.metadata.name")
        .message("上级单位不能是本单位自己 (spec.parentRef must not name the department itself)")
}

/// A handover goes to somebody else.
pub fn another_department() -> Rule {
    Rule::new("self.from.departmentRef.name != self.to.departmentRef.name").message(
        "接收单位不能是移交单位自己 (spec.to.departmentRef must name another department than spec.from.departmentRef)",
    )
}

/// All systems of a department keep their names: one name is not enough for several.
pub fn system_to_system() -> Rule {
    Rule::new("has(self.from.systemRef) || !has(self.to.systemRef)").message(
        "移交全部信息系统时不能指定接收方的信息系统名称 \
         (spec.to.systemRef goes with spec.from.systemRef: all systems of a department keep their names)",
    )
}

/// Groups of people only: the groups Kubernetes makes up (`system:authenticated`...) would open a unit to everybody.
pub fn people_groups() -> Rule {
    Rule::new(r"self.all(g, g.matches('^[^\\s,]+$') && !g.startsWith('system:'))").message(
        "用户组名不能为空、不能含空格或逗号，且不能以 system: 开头 \
         (a group must not be empty, hold blanks or commas, or start with system:)",
    )
}

/// No two limits with the same meter and dimensions: it would not be clear which one counts.
pub fn one_limit_a_selector() -> Rule {
    Rule::new(
        "self.all(a, self.exists_one(b, a.meter == b.meter \
         && (has(a.pool) ? a.pool : '') == (has(b.pool) ? b.pool : '') \
         && (has(a.architecture) ? a.architecture : '') == (has(b.architecture) ? b.architecture : '') \
         && (has(a.tier) ? a.tier : '') == (has(b.tier) ? b.tier : '') \
         && (has(a.zone) ? a.zone : '') == (has(b.zone) ? b.zone : '')))",
    )
    .message("配额中有重复的条目 (quota holds two limits for the same meter, pool, architecture, tier and zone)")
}

/// A line of a quota says something.
pub fn limit_or_floor() -> Rule {
    Rule::new("has(self.limit) || has(self.guaranteed)").message("须填写上限或保底 (set limit, guaranteed, or both)")
}

/// What is guaranteed is allowed.
pub fn floor_within_limit() -> Rule {
    Rule::new(
        "!has(self.limit) || !has(self.guaranteed) || !isQuantity(self.limit) || !isQuantity(self.guaranteed) \
         || quantity(self.guaranteed).compareTo(quantity(self.limit)) <= 0",
    )
    .message("保底不能大于上限 (guaranteed must not be above limit)")
}

/// Meters counted in whole numbers, as a CEL list.
const WHOLE: &str = "['Vcpu', 'Hosts', 'Gpus', 'DatabaseInstances', 'Bandwidth', 'PublicIps']";

/// Meters of computing, as a CEL list.
const COMPUTING: &str = "['Vcpu', 'Memory', 'Hosts', 'Gpus', 'DatabaseInstances']";

/// Meters of storage, as a CEL list.
const STORAGE: &str = "['BlockStorage', 'FileStorage', 'ObjectStorage', 'BackupStorage']";

/// A limit's range, and that of a floor, follow from the meter.
pub fn limit_within_range() -> Rule {
    let within = |field: &str| {
        format!(
            "(!has(self.{field}) || (self.meter in {WHOLE} \
             ? self.{field}.matches('^(0|[1-9][0-9]{{0,6}})$') && int(self.{field}) <= 1000000 \
             : {}))",
            size_within(&format!("self.{field}"), "0", "1Ei")
        )
    };
    Rule::new(format!("{} && {}", within("limit"), within("guaranteed"))).message(
        "配额上限无效：核数和台数须为 0 至 1000000 的整数，容量须为整数加单位 Mi、Gi、Ti 或 Pi，不超过 1Ei \
         (limit and guaranteed must be whole numbers from 0 to 1000000 for what is counted, such as Vcpu and Hosts, \
         whole numbers with Mi, Gi, Ti or Pi, at most 1Ei, for memory and storage)",
    )
}

/// Architecture is a property of computing, tier of storage.
pub fn dimensions_fit_meter() -> Rule {
    Rule::new(format!(
        "(!has(self.architecture) || self.meter in {COMPUTING}) && (!has(self.tier) || self.meter in {STORAGE})"
    ))
    .message(
        "architecture 只用于核数、内存和台数等计算类计量项，tier 只用于块存储等存储类计量项 \
         (architecture goes with computing such as Vcpu, Memory and Hosts only, tier with storage such as BlockStorage only)",
    )
}

/// A moment in RFC 3339 with an offset and whole seconds, as a regular expression.
const MOMENT: &str = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\
                      (Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

/// A moment in RFC 3339 with an offset and whole seconds.
pub fn moment(what_zh: &str, what_en: &str) -> Rule {
    Rule::new(format!("self.matches('{MOMENT}')")).message(&*format!(
        "{what_zh}须写成 2026-01-01T00:00:00+08:00 的形式 ({what_en} must be like 2026-01-01T00:00:00+08:00)"
    ))
}

/// A day that the calendar has: 31 February fails to evaluate, and so is refused. Goes with [`moment`].
pub fn day_exists(what_zh: &str, what_en: &str) -> Rule {
    Rule::new("timestamp(self) >= timestamp('2000-01-01T00:00:00Z')").message(&*format!(
        "{what_zh}须是 2000 年以后真实存在的时间 ({what_en} must be a time that exists, after the year 2000)"
    ))
}

/// No two prices with the same meter and dimensions: it would not be clear which one counts.
pub fn one_price_a_selector() -> Rule {
    Rule::new(
        "self.all(a, self.exists_one(b, a.meter == b.meter \
         && (has(a.architecture) ? a.architecture : '') == (has(b.architecture) ? b.architecture : '') \
         && (has(a.tier) ? a.tier : '') == (has(b.tier) ? b.tier : '')))",
    )
    .message("价目中有重复的条目 (items holds two prices for the same meter, architecture and tier)")
}

/// A meter is priced in its own unit.
pub fn unit_fits_meter() -> Rule {
    Rule::new(
        "self.unit == (self.meter == 'Vcpu' ? 'CoreMonth' : self.meter == 'Hosts' ? 'HostMonth' \
         : self.meter == 'Gpus' ? 'GpuMonth' : self.meter == 'DatabaseInstances' ? 'InstanceMonth' \
         : self.meter == 'Bandwidth' ? 'MbpsMonth' : self.meter == 'PublicIps' ? 'AddressMonth' : 'GiBMonth')",
    )
    .message(
        "计价单位与计量项不符：核数按 CoreMonth，台数按 HostMonth，内存和存储按 GiBMonth \
         (unit must be CoreMonth for Vcpu, HostMonth for Hosts, GpuMonth for Gpus, InstanceMonth for DatabaseInstances, \
         MbpsMonth for Bandwidth, AddressMonth for PublicIps, GiBMonth for memory and storage)",
    )
}

/// What was withdrawn stays withdrawn: filing it again is another order.
pub fn withdrawn_for_good() -> Rule {
    Rule::new("oldSelf != 'Withdrawn' || self == 'Withdrawn'")
        .message("已撤回的申请单不能恢复，请重新提交 (an order that was withdrawn stays so; file another one)")
}

/// A policy that neither lets anything through nor names anybody would only stop orders.
pub fn decides_somehow() -> Rule {
    Rule::new(
        "has(self.automatic) || (self.levels.size() >= 1 && \
         self.levels.all(l, (has(l.roles) && l.roles.size() >= 1) || (has(l.groups) && l.groups.size() >= 1)))",
    )
    .message(
        "须规定自动通过的限额，或至少一个审批级次，且每个级次须指定角色或用户组 \
         (set automatic, or at least one level, each with roles or groups)",
    )
}

/// A reminder after the deadline would remind nobody.
pub fn reminded_in_time() -> Rule {
    Rule::new("!has(self.remindAfter) || self.remindAfter < self.workingDays")
        .message("催办须早于审批时限 (remindAfter must be less than workingDays)")
}

/// A user who is a person: not one that Kubernetes makes up.
pub fn person(what_zh: &str, what_en: &str) -> Rule {
    Rule::new(r"self.matches('^[^\\s]+$') && !self.startsWith('system:')").message(&*format!(
        "{what_zh}须为人员的用户名，不能为空或含空格，且不能以 system: 开头 \
         ({what_en} must be the name of a person: not empty, without blanks, not starting with system:)"
    ))
}

/// A delegation begins before it ends, and ends.
pub fn delegation_ends() -> Rule {
    Rule::new(format!(
        "!self.from.matches('{MOMENT}') || !self.until.matches('{MOMENT}') \
         || (timestamp(self.from) < timestamp(self.until) \
             && timestamp(self.until) - timestamp(self.from) <= duration('2208h'))"
    ))
    .message("代理须有期限：结束时间晚于开始时间，且不超过 92 天 (until must be later than from, by at most 92 days)")
}

/// Only what a unit's own approvers may do is delegated.
pub fn delegated_by_approvers() -> Rule {
    Rule::new(
        "!has(self.delegations) || self.delegations.all(d, has(self.approvers) && self.approvers.exists(g, g == d.group))",
    )
    .message("代理的用户组须为本单位的审批人员 (the group of a delegation must be one of access.approvers)")
}

/// A list of names of other objects, which may be empty.
pub fn names(what_zh: &str, what_en: &str) -> Rule {
    Rule::new(format!("self.all(n, n.size() <= 63 && n.matches('{SUBDOMAIN}'))")).message(&*format!(
        "{what_zh}须为小写字母、数字、连字符和点组成的名称 \
         ({what_en} must be names of lower-case letters, digits, hyphens and dots)"
    ))
}

/// The other end of a flow is said in one way.
pub fn one_peer() -> Rule {
    Rule::new("[has(self.system), has(self.foreign), has(self.ipBlock)].filter(given, given).size() == 1").message(
        "对端须且只能填写 system、foreign 或 ipBlock 之一 (peer must hold exactly one of system, foreign and ipBlock)",
    )
}

/// A network in CIDR notation, the address its first one: `10.1.2.3/8` says less than it seems to.
pub fn network(what_zh: &str, what_en: &str) -> Rule {
    Rule::new("isCIDR(self) && cidr(self) == cidr(self).masked()").message(&*format!(
        "{what_zh}须为 CIDR 写法的网络地址，例如 10.20.0.0/16 ({what_en} must be a network such as 10.20.0.0/16)"
    ))
}

/// A list of networks, which may be empty.
pub fn networks(what_zh: &str, what_en: &str) -> Rule {
    Rule::new("self.all(n, isCIDR(n) && cidr(n) == cidr(n).masked())").message(&*format!(
        "{what_zh}须为 CIDR 写法的网络地址，例如 10.20.0.0/16 ({what_en} must be networks such as 10.20.0.0/16)"
    ))
}

/// Only what is within a network can be left out of it.
pub fn excepted_within() -> Rule {
    Rule::new(
        "!has(self.except) || !isCIDR(self.cidr) || self.except.all(n, !isCIDR(n) \
         || (cidr(n).prefixLength() > cidr(self.cidr).prefixLength() && cidr(self.cidr).containsCIDR(n)))",
    )
    .message("排除的地址段须在地址段之内 (except must lie within cidr, and leave some of it)")
}

/// A row of ports begins before it ends.
pub fn ports_in_order() -> Rule {
    Rule::new("!has(self.endPort) || self.endPort >= self.port")
        .message("截止端口不能小于起始端口 (endPort must not be less than port)")
}

/// IPv4 networks that subnets can be taken from, at least one.
pub fn address_ranges(what_zh: &str, what_en: &str) -> Rule {
    Rule::new(
        "self.size() >= 1 && self.all(n, isCIDR(n) && cidr(n).ip().family() == 4 && cidr(n) == cidr(n).masked() \
         && cidr(n).prefixLength() >= 8 && cidr(n).ip().isGlobalUnicast())",
    )
    .message(&*format!(
        "{what_zh}至少填写一项，且每项须为前缀长度不小于 8 的 IPv4 网络地址，例如 10.64.0.0/16 \
         ({what_en} must hold at least one IPv4 network of prefix length 8 or more, such as 10.64.0.0/16)"
    ))
}

/// No network of a list lies within another.
pub fn apart(what_zh: &str, what_en: &str) -> Rule {
    Rule::new(
        "self.all(a, !isCIDR(a) || self.filter(b, isCIDR(b) && (cidr(a).containsCIDR(b) || cidr(b).containsCIDR(a))).size() == 1)",
    )
    .message(&*format!("{what_zh}不能互相重叠 ({what_en} must not overlap)"))
}

/// A list that entries are only added to.
pub fn only_added(what_zh: &str, what_en: &str) -> Rule {
    Rule::new("oldSelf.all(n, n in self)")
        .message(&*format!("{what_zh}只能增加，不能减少或修改 ({what_en} can be added to; none can be taken away)"))
}

/// A subnet is not larger than what it is taken from.
pub fn subnets_fit() -> Rule {
    Rule::new("self.cidrs.all(n, !isCIDR(n) || cidr(n).prefixLength() <= self.subnetPrefixLength)").message(
        "子网不能大于地址段：subnetPrefixLength 不能小于任一地址段的前缀长度 \
         (a subnet must fit: subnetPrefixLength must not be less than the prefix length of any of cidrs)",
    )
}
