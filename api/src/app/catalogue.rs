//! The service catalogue, as the caller may see it.

use std::collections::BTreeSet;

use jiyun_crds::v1alpha1::{DatabaseClass, HostClass, HostImage, ImageLifecycle, NetworkZone, PriceList};
use k8s_openapi::jiff::Timestamp;
use kube::{Resource, ResourceExt, api::ListParams};
use serde::de::DeserializeOwned;

use super::App;
use crate::{
    model::{
        Catalogue,
        catalogue::{Class, DatabaseSize, Image, Prices, Zone},
    },
    problem::Problem,
    store::{Caller, KubernetesError},
};

/// Objects read at once, and the most pages: a catalogue is a few dozen objects, and this bounds what one request costs.
const PAGE: u32 = 500;
const MAX_PAGES: usize = 4;

impl App {
    /// Everything that can be ordered, with its prices.
    pub async fn catalogue(&self, caller: &Caller) -> Result<Catalogue, Problem> {
        let all = futures::try_join!(
            all::<HostClass>(caller),
            all::<DatabaseClass>(caller),
            all::<HostImage>(caller),
            all::<NetworkZone>(caller),
            all::<PriceList>(caller),
        );
        let (classes, database_classes, images, zones, lists) =
            all.map_err(|error| Problem::from_kubernetes(error, "catalogue"))?;
        let (prices, upcoming) = in_force(lists, Timestamp::now());
        let offered: BTreeSet<_> = images.iter().filter(|image| is_offered(image)).map(ResourceExt::name_any).collect();
        let mut images: Vec<_> = images.into_iter().filter(is_offered).map(Image::from).collect();
        for image in &mut images {
            // Nobody is sent to one that is not here.
            image.replaced_by = image.replaced_by.take().filter(|other| offered.contains(other));
        }
        Ok(Catalogue {
            classes: classes.into_iter().map(Class::from).collect(),
            database_classes: database_classes.into_iter().map(DatabaseSize::from).collect(),
            images,
            zones: zones.into_iter().map(Zone::from).collect(),
            prices: prices.map(Prices::from),
            upcoming_prices: upcoming.into_iter().map(Prices::from).collect(),
        })
    }
}

/// Whether a new host may be made from it.
fn is_offered(image: &HostImage) -> bool {
    image.spec.lifecycle != ImageLifecycle::Retired
}

/// All objects of a kind, by name.
async fn all<K>(caller: &Caller) -> Result<Vec<K>, KubernetesError>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone,
{
    let mut found = Vec::new();
    let mut page = ListParams::default().limit(PAGE);
    for _ in 0..MAX_PAGES {
        let list = caller.list::<K>(None, &page).await?;
        found.extend(list.items);
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page.continue_token = Some(token),
            None => break,
        }
    }
    found.sort_by_key(ResourceExt::name_any);
    Ok(found)
}

/// The list in force at `now`, and those to come, the next one first. A list whose date makes no sense is neither.
fn in_force(lists: Vec<PriceList>, now: Timestamp) -> (Option<PriceList>, Vec<PriceList>) {
    let mut dated: Vec<_> =
        lists.into_iter().filter_map(|list| Some((list.spec.valid_from.timestamp().ok()?, list))).collect();
    dated.sort_by_key(|(from, _)| *from);
    let begun = dated.partition_point(|(from, _)| *from <= now);
    let upcoming = dated.split_off(begun).into_iter().map(|(_, list)| list).collect();
    (dated.pop().map(|(_, list)| list), upcoming)
}
