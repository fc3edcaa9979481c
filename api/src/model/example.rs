//! The examples of answers in the description of the API: one story, so that they agree with one another.
//!
//! The finance bureau has a host, `web-1`, and asks for another, `web-2`. No city's policies apply, so its approvers decide.

use serde_json::{Value, json};

/// When `web-1` was asked for and granted.
const THEN: &str = "2026-10-31T01:00:00Z";

/// When `web-1` could first be used.
const USABLE: &str = "2026-10-31T01:01:10Z";

/// When `web-2` is asked for.
const NOW: &str = "2026-11-20T02:00:00Z";

/// When the snapshot was taken.
const TAKEN: &str = "2026-11-20T02:00:03Z";

/// When the bucket's new key pair was handed over.
const REPLACED: &str = "2026-11-20T02:00:04Z";

/// Midnight in Beijing after the five working days that approvers have.
const DEADLINE: &str = "2026-11-27T16:00:00Z";

/// The digest of the order, as in the example of a decision.
const DIGEST: &str = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

/// Seconds of November.
const MONTH: u64 = 30 * 24 * 60 * 60;

/// One meter of a host like `web-1`, and what it costs.
struct Line {
    meter: &'static str,
    quantity: u64,
    unit: &'static str,
    price_unit: &'static str,
    price: &'static str,
    amount: &'static str,
}

/// What a host like `web-1` comes to in a month.
const LINES: [Line; 4] = [
    Line { meter: "Hosts", quantity: 1, unit: "host", price_unit: "HostMonth", price: "0.00", amount: "0.00" },
    Line { meter: "Vcpu", quantity: 4, unit: "vCPU", price_unit: "CoreMonth", price: "45.00", amount: "180.00" },
    Line { meter: "Memory", quantity: 8192, unit: "MiB", price_unit: "GiBMonth", price: "16.00", amount: "128.00" },
    Line {
        meter: "BlockStorage",
        quantity: 102_400,
        unit: "MiB",
        price_unit: "GiBMonth",
        price: "0.10",
        amount: "10.00",
    },
];

/// The sum of these amounts.
const TOTAL: &str = "318.00";

fn condition(kind: &str, reason: &str, message: &str, since: &str) -> Value {
    json!({
        "type": kind, "status": "True", "reason": reason, "message": message, "observedGeneration": 1, "since": since,
    })
}

fn accepted(since: &str) -> Value {
    condition("Accepted", "Valid", "申请内容有效。 | the request is valid.", since)
}

/// How much of each meter, but for one.
fn amounts_without(meter: &str) -> Vec<Value> {
    let others = LINES.iter().filter(|line| line.meter != meter);
    others.map(|line| json!({"meter": line.meter, "unit": line.unit, "quantity": line.quantity})).collect()
}

/// A host that runs.
pub fn host() -> Value {
    json!({
        "name": "web-1", "department": "finance", "uid": "0d0e6a1c-5d6f-4f0b-9c53-6f2f3f0c8a11",
        "displayName": "门户网站一号机", "system": "portal", "class": "basic-4c8g", "image": "openeuler-24.03-amd64",
        "zone": "extranet-public", "architecture": "amd64", "systemDisk": {"tier": "standard", "size": "100Gi"},
        "granted": {"class": "basic-4c8g", "systemDiskSize": "100Gi"}, "power": "Running",
        "deletionProtection": "Enabled", "state": "Ready", "addresses": ["10.20.0.17"], "grantedAt": THEN,
        "readyAt": USABLE, "claim": "claim-123",
        "conditions": [
            accepted(THEN),
            condition("Admitted", "Granted", "已批准，登记为 claim-123。 | granted as claim-123.", THEN),
            condition("Provisioned", "Provisioned", "系统盘和云主机已创建。 | system disk and machine exist.", USABLE),
            condition("Ready", "Running", "云主机正在运行。 | the host is running.", USABLE),
        ],
        "generation": 1, "createdAt": THEN,
    })
}

/// The first of three hosts.
pub fn host_list() -> Value {
    json!({"items": [host()], "continue": "eyJsaXN0IjoiNWY0ZGNjM2I1YWE3NjVkNiJ9", "remaining": 2})
}

/// A second host, as it would be.
pub fn host_preview() -> Value {
    let host = json!({
        "name": "web-2", "department": "finance", "uid": "b8a4c0de-2f57-4d11-8f0a-0c2d8b6f4e22", "system": "portal",
        "class": "basic-4c8g", "image": "openeuler-24.03-amd64", "zone": "extranet-public", "architecture": "amd64",
        "systemDisk": {"tier": "standard", "size": "100Gi"}, "power": "Running", "deletionProtection": "Enabled",
        "state": "Pending", "conditions": [], "generation": 1, "createdAt": NOW,
    });
    json!({"host": host, "estimate": estimate()})
}

/// A database that runs on a primary and a standby.
pub fn database() -> Value {
    json!({
        "name": "budget-pg", "department": "finance", "uid": "3c1f7a52-9d0e-4f6b-8a43-5b7e2d9c1a60",
        "displayName": "预算管理数据库", "system": "budget", "class": "database-2c8g", "zone": "extranet-public",
        "architecture": "amd64", "engine": {"kind": "Postgresql", "version": "17"}, "topology": "PrimaryStandby",
        "storage": {"tier": "standard", "size": "100Gi"},
        "granted": {"class": "database-2c8g", "instances": 2, "storageSize": "100Gi"}, "power": "Running",
        "deletionProtection": "Enabled", "state": "Ready",
        "connection": {
            "host": "budget-pg-rw.engine-finance.svc", "readOnlyHost": "budget-pg-ro.engine-finance.svc", "port": 5432,
            "database": "app", "credentialsSecret": "budget-pg-credentials",
        },
        "readyInstances": 2, "claim": "claim-124",
        "conditions": [
            accepted(THEN),
            condition("Admitted", "Granted", "已批准，登记为 claim-124。 | granted as claim-124.", THEN),
            condition("Ready", "Running", "云数据库正在运行。 | the database is running.", THEN),
        ],
        "generation": 1, "createdAt": THEN,
    })
}

/// The only database.
pub fn database_list() -> Value {
    json!({"items": [database()], "remaining": 0})
}

/// A database that would go.
pub fn database_preview() -> Value {
    json!({"database": database()})
}

/// A volume that `web-1` has.
pub fn volume() -> Value {
    json!({
        "name": "portal-data", "department": "finance", "uid": "7e2b94d1-60c3-4a8f-b1d5-9f4c3a7e8d12",
        "displayName": "门户网站数据盘", "system": "portal", "zone": "extranet-public", "tier": "standard",
        "size": "200Gi", "grantedSize": "200Gi", "host": "web-1",
        "attachment": {"host": "web-1", "state": "Attached"}, "serial": "claim-125",
        "deletionProtection": "Enabled", "state": "Ready", "claim": "claim-125",
        "conditions": [
            accepted(THEN),
            condition("Admitted", "Granted", "已批准，登记为 claim-125。 | granted as claim-125.", THEN),
            condition("Provisioned", "Provisioned", "云硬盘已创建。 | the volume exists.", THEN),
            condition("Ready", "Attached", "云硬盘已挂载到 web-1。 | the volume is attached to web-1.", THEN),
        ],
        "generation": 1, "createdAt": THEN,
    })
}

/// The only volume.
pub fn volume_list() -> Value {
    json!({"items": [volume()], "remaining": 0})
}

/// A volume that would go.
pub fn volume_preview() -> Value {
    json!({"volume": volume()})
}

/// A bucket whose key pair was replaced.
pub fn bucket() -> Value {
    let conditions = [
        accepted(THEN),
        condition("Admitted", "Granted", "已批准，登记为 claim-126。 | granted as claim-126.", THEN),
        condition(
            "Provisioned",
            "Provisioned",
            "对象存储桶已创建，密钥对已写入本单位的命名空间。 | the bucket exists, and its key pair is in the \
             department's namespace.",
            THEN,
        ),
        condition("Ready", "Available", "对象存储桶可用。 | the bucket can be used.", REPLACED),
    ]
    .map(|mut condition| {
        condition["observedGeneration"] = json!(2);
        condition
    });
    json!({
        "name": "portal-files", "department": "finance", "uid": "a95c0e37-4b1d-4f62-9d08-c6e1f7b3a284",
        "displayName": "门户网站附件", "system": "portal", "zone": "extranet-public", "tier": "standard",
        "size": "500Gi", "grantedSize": "500Gi",
        "connection": {
            "host": "rook-ceph-rgw-objects.rook-ceph.svc", "port": 80,
            "bucket": "portal-files-2f6d3a1e-8f0b-4c57-9a4e-0d2b7c6e5f13", "credentialsSecret": "portal-files-bucket",
        },
        "credentialsRequestedAt": NOW, "credentialsIssuedAt": "2026-11-20T02:00:01Z", "credentialsIssuedFor": NOW,
        "deletionProtection": "Enabled", "state": "Ready", "claim": "claim-126", "conditions": conditions,
        "generation": 2, "createdAt": THEN,
    })
}

/// The only bucket.
pub fn bucket_list() -> Value {
    json!({"items": [bucket()], "remaining": 0})
}

/// A bucket that would go.
pub fn bucket_preview() -> Value {
    json!({"bucket": bucket()})
}

/// A snapshot of the host's system disk.
pub fn snapshot() -> Value {
    json!({
        "name": "before-upgrade", "department": "finance", "uid": "5d8c2b7a-13e4-4f90-a6c2-8b0e7d9f4a36",
        "displayName": "升级前", "system": "portal", "source": {"kind": "CloudHost", "name": "web-1"},
        "tier": "standard", "grantedSize": "100Gi", "takenAt": TAKEN, "image": "openeuler-24.03-amd64",
        "deletionProtection": "Enabled", "state": "Ready", "claim": "claim-127",
        "conditions": [
            accepted(NOW),
            condition("Admitted", "Granted", "已批准，登记为 claim-127。 | granted as claim-127.", NOW),
            condition("Provisioned", "Provisioned", "云快照已创建。 | the snapshot exists.", TAKEN),
            condition("Ready", "Available", "云快照可用。 | the snapshot can be used.", TAKEN),
        ],
        "generation": 1, "createdAt": NOW,
    })
}

/// The only snapshot.
pub fn snapshot_list() -> Value {
    json!({"items": [snapshot()], "remaining": 0})
}

/// A snapshot that would go.
pub fn snapshot_preview() -> Value {
    json!({"snapshot": snapshot()})
}

/// What a second host comes to.
fn estimate() -> Value {
    let line = |line: &Line| {
        json!({
            "resource": "web-2", "meter": line.meter, "quantity": line.quantity, "unit": line.unit, "price": line.price,
            "priceUnit": line.price_unit, "amount": line.amount,
        })
    };
    let lines: Vec<Value> = LINES.iter().map(line).collect();
    json!({
        "revision": 4711, "asOf": NOW, "fits": true,
        "price": {"priceList": "prices-2026", "currency": "CNY", "lines": lines, "total": TOTAL},
        "quota": [
            {"meter": "Vcpu", "unit": "vCPU", "limit": 16, "before": 12, "requested": 4, "after": 8, "missing": 0},
            {"meter": "Memory", "unit": "MiB", "limit": 65536, "before": 57344, "requested": 8192, "after": 49152,
             "missing": 0},
        ],
        "approvals": {"automatic": false, "policies": ["default"], "levels": [level()], "evidence": []},
    })
}

/// The approvers of the department.
fn level() -> Value {
    json!({"name": "department", "groups": ["finance-approvers"], "mode": "Any", "workingDays": 5})
}

/// An order that waits for the approvers of the department.
pub fn order() -> Value {
    let amounts = amounts_without("Hosts");
    let summary = json!({
        "class": "basic-4c8g", "image": "openeuler-24.03-amd64", "tier": "standard", "amounts": amounts,
    });
    let held = "已预占所需配额和容量。 | quota and capacity are set aside.";
    json!({
        "name": "portal-rollout", "department": "finance", "uid": "6f9b1d1e-8c34-4c58-a1a5-31c7c9be7d33",
        "system": "portal",
        "items": [
            {"kind": "CloudHost", "name": "web-2", "action": "Create", "summary": summary},
            {"kind": "CloudHost", "name": "web-1", "action": "End", "summary": summary},
        ],
        "state": "AwaitingApproval", "withdrawn": false, "justification": "门户网站扩容",
        "projectNumber": "HS-2026-001", "applicants": ["oidc:zhou.wen"], "digest": DIGEST, "policies": ["default"],
        "levels": [{
            "name": "department", "groups": ["finance-approvers"], "mode": "Any", "workingDays": 5, "deadline": DEADLINE,
        }],
        "turn": {
            "level": "department", "groups": ["finance-approvers"], "mode": "Any", "deadline": DEADLINE,
            "escalated": false,
        },
        "decisions": [], "ignored": [], "conditions": [accepted(NOW), condition("Held", "Held", held, NOW)],
        "generation": 1, "createdAt": NOW, "acceptedAt": NOW,
    })
}

/// The only order there is.
pub fn order_list() -> Value {
    json!({"items": [order()]})
}

/// The order, as it would be before anybody has looked at it.
pub fn order_preview() -> Value {
    let order = json!({
        "name": "portal-rollout", "department": "finance", "uid": "6f9b1d1e-8c34-4c58-a1a5-31c7c9be7d33",
        "system": "portal",
        "items": [
            {"kind": "CloudHost", "name": "web-2", "action": "Create"},
            {"kind": "CloudHost", "name": "web-1", "action": "End"},
        ],
        "state": "Filed", "withdrawn": false, "justification": "门户网站扩容", "projectNumber": "HS-2026-001",
        "applicants": [], "policies": [], "levels": [], "decisions": [], "ignored": [], "conditions": [],
        "generation": 1, "createdAt": NOW,
    });
    json!({"order": order, "estimate": estimate()})
}

/// Somebody agreed to the order.
pub fn approval() -> Value {
    json!({
        "name": "a-rq3xk4bd2wmt5ysoaz7u", "order": "portal-rollout", "level": "department", "decision": "Approve",
        "digest": DIGEST, "user": "oidc:zhang.san", "at": "2026-11-23T01:30:00Z", "counts": true,
    })
}

/// The only decision there is.
pub fn approval_list() -> Value {
    json!({"items": [approval()]})
}

/// The order, and a host whose lease ends soon.
pub fn inbox() -> Value {
    let lease = json!({
        "endsAt": "2026-12-01T00:00:00+08:00", "grantedUntil": "2026-11-30T16:00:00Z", "stage": "Warned",
        "archiveAt": "2026-12-07T16:00:00Z",
    });
    json!({
        "items": [order()],
        "leases": [{
            "host": "trial-1", "department": "finance", "displayName": "试用机", "system": "portal",
            "deletionProtection": "Enabled", "lease": lease,
        }],
    })
}

/// A system that hosts can be ordered for.
pub fn system() -> Value {
    json!({
        "name": "budget", "department": "finance", "uid": "3a7d52c9-0b1e-4a8e-9d0f-7c5e61a2fb44",
        "displayName": "预算管理一体化系统", "protectionLevel": 3, "zone": "extranet-public",
        "projectNumber": "HS-2026-001", "owner": {"name": "周文", "phone": "0734-5550101"}, "state": "Ready",
        "conditions": [condition("Ready", "Valid", "申请内容有效。 | the request is valid.", THEN)],
        "generation": 1, "createdAt": THEN,
    })
}

/// The only system there is.
pub fn system_list() -> Value {
    json!({"items": [system()]})
}

/// The system, as it would be before anybody has looked at it.
pub fn system_preview() -> Value {
    let system = json!({
        "name": "budget", "department": "finance", "uid": "3a7d52c9-0b1e-4a8e-9d0f-7c5e61a2fb44",
        "displayName": "预算管理一体化系统", "protectionLevel": 3, "zone": "extranet-public",
        "projectNumber": "HS-2026-001", "owner": {"name": "周文", "phone": "0734-5550101"}, "state": "Pending",
        "conditions": [], "generation": 1, "createdAt": THEN,
    });
    json!({"system": system})
}

/// A flow that is open.
pub fn flow() -> Value {
    json!({
        "name": "web-to-db", "department": "finance", "uid": "c41f0e77-64d2-4b5d-8e6b-15a9d03c9e55",
        "system": "budget", "direction": "Egress", "hosts": ["budget-web"],
        "peer": {"system": {"name": "budget", "hosts": ["budget-db"]}}, "ports": [{"protocol": "TCP", "port": 5236}],
        "justification": "应用服务器访问数据库", "state": "Open", "reach": "WithinSystem", "claim": "claim-124",
        "conditions": [
            accepted(THEN),
            condition("Admitted", "Granted", "已批准，登记为 claim-124。 | granted as claim-124.", THEN),
            condition("Ready", "Open", "互访规则已下发。 | the flow is open.", THEN),
        ],
        "generation": 1, "createdAt": THEN,
    })
}

/// The only flow there is.
pub fn flow_list() -> Value {
    json!({"items": [flow()]})
}

/// The flow, as it would be before anybody has looked at it.
pub fn flow_preview() -> Value {
    let flow = json!({
        "name": "web-to-db", "department": "finance", "uid": "c41f0e77-64d2-4b5d-8e6b-15a9d03c9e55",
        "system": "budget", "direction": "Egress", "hosts": ["budget-web"],
        "peer": {"system": {"name": "budget", "hosts": ["budget-db"]}}, "ports": [{"protocol": "TCP", "port": 5236}],
        "justification": "应用服务器访问数据库", "state": "Pending", "conditions": [], "generation": 1, "createdAt": THEN,
    });
    json!({"flow": flow})
}

/// What the story needs, at the prices it is told at.
pub fn catalogue() -> Value {
    json!({
        "classes": [{
            "name": "basic-4c8g", "displayName": "基础型 4核8G", "series": "Basic", "vcpu": 4, "memory": "8Gi",
            "architectures": ["amd64", "arm64"],
        }],
        "databaseClasses": [{
            "name": "database-2c8g", "displayName": "数据库 2核8G", "engine": "Postgresql", "versions": ["17"], "vcpu": 2,
            "memory": "8Gi", "architectures": ["amd64", "arm64"],
        }],
        "images": [{
            "name": "openeuler-24.03-amd64", "displayName": "openEuler 24.03 LTS（x86）",
            "operatingSystem": "openEuler 24.03 LTS", "architecture": "amd64", "minDisk": "20Gi", "lifecycle": "Offered",
        }],
        "zones": [{"name": "extranet-public", "displayName": "政务外网公共区", "kind": "GovExtranetPublic"}],
        "prices": {
            "name": "prices-2026", "validFrom": "2026-01-01T00:00:00+08:00", "currency": "CNY",
            "items": [
                {"meter": "Hosts", "unit": "HostMonth", "price": "0.00"},
                {"meter": "Vcpu", "architecture": "amd64", "unit": "CoreMonth", "price": "45.00"},
                {"meter": "Memory", "architecture": "amd64", "unit": "GiBMonth", "price": "16.00"},
                {"meter": "BlockStorage", "tier": "standard", "unit": "GiBMonth", "price": "0.10"},
                {"meter": "ObjectStorage", "tier": "standard", "unit": "GiBMonth", "price": "0.08"},
            ],
        },
        "upcomingPrices": [],
    })
}

/// The quota before `web-2` was asked for.
pub fn quota() -> Value {
    json!({
        "department": "finance", "displayName": "衡山县财政局", "revision": 4711, "asOf": NOW,
        "rows": [
            {"meter": "Vcpu", "unit": "vCPU", "guaranteed": 8, "limit": 16, "used": 4, "held": 0, "borrowed": 0,
             "available": 12, "overLimit": false},
            {"meter": "Memory", "unit": "MiB", "limit": 65536, "used": 8192, "held": 0, "available": 57344,
             "overLimit": false},
        ],
    })
}

/// A whole month of `web-1`.
pub fn usage() -> Value {
    let (from, to) = ("2026-10-31T16:00:00Z", "2026-11-30T16:00:00Z");
    let line = |line: &Line| {
        json!({
            "claim": "claim-123", "system": "portal", "resource": "web-1", "item": "basic-4c8g", "meter": line.meter,
            "zone": "extranet-public", "quantity": line.quantity, "unit": line.unit, "from": from, "to": to,
            "unitSeconds": (line.quantity * MONTH).to_string(), "priceList": "prices-2026",
            "priceUnit": line.price_unit, "price": line.price, "amount": line.amount,
        })
    };
    let lines: Vec<Value> = LINES.iter().map(line).collect();
    json!({
        "department": "finance", "displayName": "衡山县财政局", "billingAccount": "衡山县财政局", "month": "2026-11",
        "from": from, "to": to, "monthSeconds": MONTH, "asOf": "2026-12-01T01:00:00Z", "provisional": false,
        "revision": 5032, "currency": "CNY", "lines": lines, "unpriced": [], "total": TOTAL,
    })
}

/// The record of the order of `web-1`.
pub fn audit_record_list() -> Value {
    let record = json!({
        "writer": "jiyun-api-0", "sequence": 4711, "at": THEN, "action": "Create", "result": {"is": "Succeeded"},
        "actor": {"name": "oidc:zhou.wen", "groups": ["finance-operators"], "authentication": "Token"},
        "department": "finance", "source": "10.20.0.7", "request": "0192f6c1a5e87d3f9b3c4d5e6f708192",
        "object": {
            "kind": "CloudHost", "namespace": "dept-finance", "name": "web-1",
            "uid": "0d0e6a1c-5d6f-4f0b-9c53-6f2f3f0c8a11",
        },
        "zone": "extranet-public", "after": {"value": {"spec": {"classRef": {"name": "basic-4c8g"}}}},
        "hash": "7f426aec15f8d3734ae77f70224a58e9166a990cef6050b237541c99e904ea99",
    });
    json!({"items": [record], "continue": "eyJsaXN0IjoiNWY0ZGNjM2I1YWE3NjVkNiJ9", "damaged": 0})
}

/// A pool that is nearly full, and one request in line for it.
pub fn pool_holders() -> Value {
    let amounts = amounts_without("BlockStorage");
    json!({
        "pool": "hygon", "revision": 4711, "asOf": NOW,
        "meters": [
            {"meter": "Hosts", "unit": "host", "taken": 96},
            {"meter": "Vcpu", "unit": "vCPU", "usable": 768, "taken": 764},
            {"meter": "Memory", "unit": "MiB", "usable": 3_145_728, "taken": 1_564_672},
        ],
        "departments": [
            {"department": "finance", "displayName": "衡山县财政局", "claimCount": 1, "amounts": amounts},
            {"department": "health", "displayName": "衡山县卫生健康局", "claimCount": 95, "amounts": [
                {"meter": "Hosts", "unit": "host", "quantity": 95},
                {"meter": "Vcpu", "unit": "vCPU", "quantity": 760},
                {"meter": "Memory", "unit": "MiB", "quantity": 1_556_480},
            ]},
        ],
        "waitingCount": 1,
        "waiting": [{
            "department": "tax", "object": "CloudHost filing-1", "since": NOW, "overtaken": 0, "amounts": [
                {"meter": "Hosts", "unit": "host", "quantity": 1},
                {"meter": "Vcpu", "unit": "vCPU", "quantity": 8},
                {"meter": "Memory", "unit": "MiB", "quantity": 16384},
                {"meter": "BlockStorage", "unit": "MiB", "quantity": 102_400},
            ],
        }],
    })
}

/// An image that one host was made from.
pub fn image_holders() -> Value {
    json!({
        "image": "openeuler-24.03-amd64", "revision": 4711, "asOf": NOW, "hostCount": 1,
        "departments": [{"department": "finance", "displayName": "衡山县财政局", "hostCount": 1, "hosts": [
            {"host": "web-1", "system": "portal", "stage": "Billable", "since": NOW},
        ]}],
    })
}

/// More cores than the quota leaves.
pub fn problem() -> Value {
    let chinese = "超出配额：vCPU 上限 16 核，已用 4 核，在途 0 核，本次申请 32 核，还差 20 核（范围：全部）。请释放不用的资源，\
                   或请平台运营人员调整本单位的配额后修改本申请。";
    let english = "over quota: vCPU limit 16, used 4, held 0, requested 32, missing 20 (scope: everything). Release \
                   what is not used, or ask the platform operators to raise your department's quota, then edit this \
                   request.";
    json!({
        "type": "https://jiyun.io/problems/exceeds-limit", "title": "Exceeds limit", "status": 409,
        "detail": chinese, "detailZh": chinese, "detailEn": english, "code": "ExceedsLimit", "field": "class",
        "parameters": {
            "meter": "Vcpu", "limit": 16, "used": 4, "held": 0, "requested": 32, "available": 12, "missing": 20,
        },
        "errors": [{"field": "class", "code": "ExceedsLimit", "detail": chinese}],
        "requestId": "0192f6c1a5e87d3f9b3c4d5e6f708192",
    })
}
