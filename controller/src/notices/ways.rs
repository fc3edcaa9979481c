//! The couriers there are, and the way out that each has by what the configuration says now.

use std::{collections::BTreeMap, sync::Arc};

use jiyun_notices::Notice;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Config, channel::Channel, courier::Courier, marks::Marks};
use crate::metrics::Metrics;

/// A way out.
pub struct Way {
    /// The way itself.
    pub channel: Channel,
    /// Where somebody acts on a notice.
    pub link: Option<String>,
}

/// What a courier goes by: nothing while the configuration does not name its channel.
pub type Told = watch::Receiver<Option<Arc<Way>>>;

/// See the module. A courier whose channel is not named any more stays and has nothing to do: were it ended and another
/// begun, a letter under way could be sent twice.
pub struct Ways {
    marks: Marks,
    notices: watch::Receiver<Arc<Vec<Arc<Notice>>>>,
    metrics: Metrics,
    stop: CancellationToken,
    named: BTreeMap<String, watch::Sender<Option<Arc<Way>>>>,
    couriers: JoinSet<()>,
}

impl Ways {
    /// None yet; what they tell comes from `notices`, until `stop`.
    pub fn new(
        marks: Marks,
        notices: watch::Receiver<Arc<Vec<Arc<Notice>>>>,
        metrics: Metrics,
        stop: CancellationToken,
    ) -> Self {
        Self { marks, notices, metrics, stop, named: BTreeMap::new(), couriers: JoinSet::new() }
    }

    /// Has exactly the channels of `config` told from now on; gives their names.
    pub fn set(&mut self, config: Config) -> String {
        let Config { link, channels } = config;
        let ways = channels.into_iter().map(|channel| {
            let name = channel.name().to_owned();
            (name, Arc::new(Way { channel, link: link.clone() }))
        });
        let mut ways: BTreeMap<String, Arc<Way>> = ways.collect();
        let names = ways.keys().cloned().collect::<Vec<_>>().join(", ");
        for (name, way) in &self.named {
            way.send_replace(ways.remove(name));
        }
        for (name, way) in ways {
            let (tell, way) = watch::channel(Some(way));
            let (marks, notices, metrics) = (self.marks.clone(), self.notices.clone(), self.metrics.clone());
            let courier = Courier { name: name.clone(), way, marks, notices, metrics };
            self.couriers.spawn(courier.run(self.stop.clone()));
            self.named.insert(name, tell);
        }
        names
    }

    /// Waits for the couriers to end.
    pub async fn ended(mut self) {
        while self.couriers.join_next().await.is_some() {}
    }
}
