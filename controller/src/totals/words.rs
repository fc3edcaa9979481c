//! Amounts in the words of columns and quantities.

use jiyun_crds::v1alpha1::Quantity;
use jiyun_ledger::{BalanceRow, Dimensions, Meter};

/// An amount of a meter as Kubernetes writes it: `12`, `48Gi`.
pub fn quantity(meter: Meter, amount: u64) -> Quantity {
    if meter.unit() == "MiB" { Quantity::from_mebibytes(amount) } else { Quantity::from_whole(amount) }
}

/// `used/limit`, or `used` where nothing limits it.
pub fn share(meter: Meter, used: u64, limit: Option<u64>) -> String {
    let used = quantity(meter, used);
    match limit {
        Some(limit) => format!("{}/{}", used.as_str(), quantity(meter, limit).as_str()),
        None => used.as_str().to_owned(),
    }
}

/// The share of one meter over all kinds of it; none where it is neither used nor limited.
pub fn whole(rows: &[BalanceRow], meter: Meter) -> Option<String> {
    let row = rows.iter().find(|row| row.meter == meter && row.dimensions == Dimensions::default())?;
    Some(share(meter, row.used.saturating_add(row.held), row.limit))
}
