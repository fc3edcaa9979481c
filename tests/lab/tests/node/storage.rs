//! Objects over S3: who has the keys may write and read, nobody else.

use jiyun_lab::{Lab, LabOptions, Part, Profile, wait_for};

use crate::machine::{DEADLINE, Node, Seen, able_with};

#[tokio::test]
async fn an_s3_service_takes_objects_of_who_has_its_keys_and_of_nobody_else() {
    if !able_with("an_s3_service_takes_objects_of_who_has_its_keys_and_of_nobody_else", Part::S3) {
        return;
    }
    let before = Seen::now();
    let options = LabOptions::default().profile(Profile::Node).with([Part::S3]).own_cluster();
    let lab = Lab::start(options.engines(false).charts(false)).await.expect("starts");
    let secret =
        ["get", "secret", "root", "-n", "lab-s3", "-o", "go-template={{.data.ROOT_SECRET_KEY | base64decode}}"];
    let secret = lab.kubectl(&secret).await.expect("the keys are in a Secret");
    // The gateway brings a client of its own, which signs as any other (AWS Signature Version 4).
    let passed = client(&lab, secret.trim()).await.expect("the service answers");
    assert!(passed.contains("PASS") && !passed.contains("FAIL"), "{passed}");
    let wrong = client(&lab, "wrong").await;
    assert!(!wrong.clone().is_ok_and(|said| !said.contains("FAIL")), "{wrong:?}");

    let node = Node::of(lab.folder());
    lab.stop().await.expect("stops");
    node.is_gone(&before).await;
}

/// Puts an object and reads it.
async fn client(lab: &Lab, secret: &str) -> Result<String, String> {
    // By address: by a name, this client would put the bucket's name before it.
    let service = ["get", "service", "s3", "-n", "lab-s3", "-o", "jsonpath=http://{.spec.clusterIP}"];
    let endpoint = lab.kubectl(&service).await.map_err(|error| error.to_string())?;
    let arguments = [
        "exec",
        "-n",
        "lab-s3",
        "deployment/s3",
        "--",
        "/versitygw",
        "test",
        "--access",
        "jiyun-lab",
        "--secret",
        secret,
        "--endpoint",
        &endpoint,
        "GetObject_success",
    ];
    let said = wait_for("the service to answer", DEADLINE, || async {
        match lab.kubectl(&arguments).await {
            Err(error) if error.to_string().contains("connection refused") => Err(error.to_string()),
            outcome => Ok(outcome.map_err(|error| error.to_string())),
        }
    });
    said.await.map_err(|error| error.to_string())?
}
