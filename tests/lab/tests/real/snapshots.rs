//! Snapshots of simulated disks: taken, refused, made disks from, and gone with what they keep. The kinds are CSI's and CDI's
//! own, and what binds and collects is Kubernetes' (`simulate/snapshot.rs`, `simulate/clone.rs`).

use jiyun_lab::simulate::{CONTENT, Fault};
use jiyun_lab::wait_for;
use kube::ResourceExt;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::{Outcome, Place, SOON, disk};

const GROUP: &str = "snapshot.storage.k8s.io";

impl Place {
    fn snapshots(&self) -> Api<DynamicObject> {
        self.api(GROUP, "v1", "VolumeSnapshot")
    }

    /// Takes a snapshot of a disk's claim, by this class.
    async fn take(&self, name: &str, of: &str, class: &str) -> Outcome {
        let snapshot = json!({
            "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": {"name": name},
            "spec": {"volumeSnapshotClassName": class, "source": {"persistentVolumeClaimName": of}},
        });
        self.create(&self.snapshots(), snapshot).await?;
        Ok(())
    }

    /// Waits until an object says what is looked for.
    async fn says(
        &self,
        kind: &Api<DynamicObject>,
        name: &str,
        holds: impl Fn(&DynamicObject) -> bool,
    ) -> Outcome<DynamicObject> {
        Ok(wait_for(format!("{name} of {}", kind.resource_url()), SOON, || async {
            let found = kind.get(name).await.map_err(|error| error.to_string())?;
            if holds(&found) { Ok(found) } else { Err(format!("{:?} {}", found.metadata, found.data)) }
        })
        .await?)
    }

    async fn is_taken(&self, name: &str) -> Outcome<DynamicObject> {
        let is_ready = |found: &DynamicObject| {
            let held = found.finalizers().iter().filter(|held| held.contains("volumesnapshot-")).count();
            found.data["status"]["readyToUse"] == true && found.data["status"].get("error").is_none() && held == 2
        };
        self.says(&self.snapshots(), name, is_ready).await
    }

    /// Writes to a disk.
    async fn write(&self, name: &str, word: &str) -> Outcome {
        let written = Patch::Merge(json!({"metadata": {"annotations": {(CONTENT): word}}}));
        self.claims().patch(name, &PatchParams::default(), &written).await?;
        Ok(())
    }

    /// Asks for a disk that is made from a snapshot.
    async fn copy(&self, name: &str, snapshot: &str, size: &str) -> Outcome {
        let mut copy = disk(name, "standard");
        copy["spec"]["source"] = json!({"snapshot": {"namespace": self.namespace, "name": snapshot}});
        copy["spec"]["storage"]["resources"]["requests"]["storage"] = json!(size);
        self.create(&self.disks(), copy).await?;
        Ok(())
    }

    async fn contents_of(&self, snapshot: &DynamicObject) -> Outcome<Vec<String>> {
        let kind = GroupVersionKind::gvk(GROUP, "v1", "VolumeSnapshotContent");
        let all = Api::<DynamicObject>::all_with(self.client.clone(), &ApiResource::from_gvk(&kind));
        let all = all.list(&ListParams::default()).await?;
        let is_its =
            |content: &&DynamicObject| content.data["spec"]["volumeSnapshotRef"]["uid"] == json!(snapshot.uid());
        Ok(all.items.iter().filter(is_its).map(ResourceExt::name_any).collect())
    }
}

fn has_word(claim: &DynamicObject, word: &str) -> bool {
    claim.annotations().get(CONTENT).is_some_and(|is| is == word)
}

fn ready(disk: &DynamicObject) -> Value {
    let conditions = disk.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == "Ready").unwrap_or_default()
}

#[tokio::test]
async fn a_snapshot_keeps_what_was_on_its_disk_and_disks_made_from_it_begin_with_that() -> Outcome {
    let place = Place::new().await?;
    place.create(&place.disks(), disk("data", "standard")).await?;
    place.capacity("data", "20Gi").await?;
    place.write("data", "accounts").await?;
    place.take("nightly", "data", "standard").await?;
    let taken = place.is_taken("nightly").await?;
    let status = &taken.data["status"];
    assert!(status["restoreSize"] == "20Gi" && status["creationTime"].is_string(), "{status}");
    assert_eq!(place.contents_of(&taken).await?.len(), 1);
    place.write("data", "scribbles").await?;

    place.copy("copy", "nightly", "40Gi").await?;
    place.says(&place.disks(), "copy", |disk| disk.data["status"]["phase"] == "Succeeded").await?;
    let copied = place.capacity("copy", "40Gi").await?;
    assert!(has_word(&copied, "accounts") && has_word(&place.claims().get("data").await?, "scribbles"));
    for (name, snapshot, why) in
        [("small", "nightly", "CloneValidationFailed"), ("none", "weekly", "CloneWithoutSource")]
    {
        place.copy(name, snapshot, "10Gi").await?;
        place.says(&place.disks(), name, |disk| ready(disk)["reason"] == why).await?;
        assert!(place.claims().get_opt(name).await?.is_none(), "{name}");
    }

    place.snapshots().delete("nightly", &DeleteParams::default()).await?;
    place.nothing_left(&place.snapshots()).await?;
    assert_eq!(place.contents_of(&taken).await?, Vec::<String>::new(), "what it kept went with it");
    assert!(has_word(&place.claims().get("copy").await?, "accounts"), "what was made from it stays");
    Ok(())
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_taken_says_why_and_is_taken_once_it_can_be() -> Outcome {
    let place = Place::new().await?;
    let says = |part: &'static str| {
        move |found: &DynamicObject| {
            found.data["status"]["error"]["message"].as_str().is_some_and(|message| message.contains(part))
        }
    };
    place.take("early", "late", "standard").await?;
    place.says(&place.snapshots(), "early", says("cannot get claim")).await?;
    place.create(&place.disks(), disk("late", "standard")).await?;
    place.is_taken("early").await?;
    place.take("unclassed", "late", "gone").await?;
    place.says(&place.snapshots(), "unclassed", says("not found")).await?;

    let faults = place.lab.faults();
    for (fault, name, part) in
        [(Fault::ImportFails, "answerless", "does not answer"), (Fault::Full, "roomless", "no room")]
    {
        faults.set(fault, name);
        place.take(name, "late", "standard").await?;
        place.says(&place.snapshots(), name, says(part)).await?;
        faults.clear(fault, name);
        place.is_taken(name).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_disk_stays_while_a_snapshot_of_it_is_taken_and_goes_when_it_was() -> Outcome {
    let place = Place::new().await?;
    place.create(&place.disks(), disk("going", "standard")).await?;
    place.capacity("going", "20Gi").await?;
    place.lab.faults().set(Fault::NeverReady, "endless");
    place.take("endless", "going", "standard").await?;
    place.says(&place.snapshots(), "endless", |found| found.data["status"]["creationTime"].is_string()).await?;
    place.disks().delete("going", &DeleteParams::default()).await?;
    place.says(&place.claims(), "going", |claim| claim.metadata.deletion_timestamp.is_some()).await?;
    let held = place.claims().get("going").await?.finalizers().join(" ");
    assert!(held.contains("pvc-as-source-protection"), "{held}");
    place.lab.faults().clear(Fault::NeverReady, "endless");
    place.is_taken("endless").await?;
    place.nothing_left(&place.claims()).await?;
    Ok(())
}
