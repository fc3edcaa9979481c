//! The trail's own figures, for a program's `/metrics`.

use prometheus::{IntCounter, IntGauge, Registry};

/// What a program shows of its trail; cheap to clone.
#[derive(Clone, Debug)]
pub struct Figures {
    records: IntCounter,
    unwritable: IntGauge,
    gaps: IntGauge,
}

impl Figures {
    /// Registers them.
    ///
    /// # Errors
    /// When the registry has figures of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let figures = Self {
            records: IntCounter::new(
                "jiyun_trail_records_total",
                "Records of the audit trail that were acknowledged.",
            )?,
            unwritable: IntGauge::new("jiyun_trail_unwritable", "1 while the audit trail cannot be written.")?,
            gaps: IntGauge::new(
                "jiyun_trail_gaps",
                "Places where acknowledged records of the audit trail are missing.",
            )?,
        };
        registry.register(Box::new(figures.records.clone()))?;
        registry.register(Box::new(figures.unwritable.clone()))?;
        registry.register(Box::new(figures.gaps.clone()))?;
        Ok(figures)
    }

    pub(crate) fn appended(&self, records: u64) {
        self.records.inc_by(records);
    }

    pub(crate) fn writable(&self, writable: bool) {
        self.unwritable.set(i64::from(!writable));
    }

    pub(crate) fn gaps(&self, gaps: usize) {
        self.gaps.set(i64::try_from(gaps).unwrap_or(i64::MAX));
    }
}
