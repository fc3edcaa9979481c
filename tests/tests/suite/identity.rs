//! People of an identity provider: what their tokens open, and which tokens open nothing.

use http::StatusCode;
use jiyun_crds::names::ANNOTATION_REQUESTED_BY;
use jiyun_lab::{Claims, Issuer, Lab, LabError, LabOptions, wait_for};
use jiyun_tests::{
    Caller, Order, World, WorldError, WorldOptions,
    world::{PATIENCE, Quota},
};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{Api, api::PostParams};
use tokio::sync::OnceCell;

/// Departments of this file's world, one for each test that needs its people.
const DEPARTMENTS: [&str; 2] = ["office-orders", "office-refuses"];

/// A world whose API server knows an identity provider; the others know a token file alone.
async fn world() -> Result<&'static World, WorldError> {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    let lab = LabOptions::default().own_cluster().oidc().departments(DEPARTMENTS);
    WORLD.get_or_try_init(|| World::start(WorldOptions { lab, ..WorldOptions::default() })).await
}

fn signed(issuer: &Issuer, claims: &Claims) -> Result<String, WorldError> {
    Ok(issuer.sign(claims).map_err(LabError::from)?)
}

/// Somebody in these groups, once the API server has read the provider's documents.
async fn person(world: &World, name: &str, groups: [String; 1]) -> Result<Caller, WorldError> {
    let issuer = world.lab.issuer()?;
    let token = signed(issuer, &issuer.claims(name, groups))?;
    wait_for("the API server to take a token of the provider", PATIENCE, || async {
        known_as(&world.lab, &token).await
    })
    .await?;
    Ok(world.stranger()?.with_token(Some(token)))
}

/// Who the API server takes the bearer of `token` for.
async fn known_as(lab: &Lab, token: &str) -> Result<String, String> {
    let client = lab.client_as(token).await.map_err(|error| error.to_string())?;
    let (reviews, nothing) = (Api::<SelfSubjectReview>::all(client), SelfSubjectReview::default());
    let review = reviews.create(&PostParams::default(), &nothing).await.map_err(|error| error.to_string())?;
    review.status.and_then(|status| status.user_info?.username).ok_or_else(|| "nobody".into())
}

#[tokio::test]
async fn a_person_of_the_identity_provider_orders_for_their_department_and_is_named_on_it() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department("office-orders", Quota::AMPLE).await?;
    let zhang = person(world, "zhang.san", ["office-orders-operators".into()]).await?;
    let looked_up = world.lab.issuer()?.looked_up();
    assert!(looked_up.discovery >= 1 && looked_up.keys >= 1, "{looked_up:?}");

    let answer = zhang.post(&bureau.hosts_path(), &Order::new("web", "portal").body(), 30).await?;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    let host = bureau.wait_ready("web").await?;
    assert_eq!(host.metadata.annotations.unwrap_or_default()[ANNOTATION_REQUESTED_BY], "oidc:zhang.san");
    assert_eq!(zhang.get("/v1/departments/office-orders/quota").await?.status, StatusCode::OK);

    let stranger = person(world, "li.si", ["office-elsewhere-operators".into()]).await?;
    assert_eq!(stranger.get(&bureau.hosts_path()).await?.status, StatusCode::NOT_FOUND);
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_not_in_order_opens_nothing() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department("office-refuses", Quota::AMPLE).await?;
    let group = "office-refuses-operators".to_owned();
    let zhang = person(world, "zhang.san", [group.clone()]).await?;
    assert_eq!(zhang.get(&bureau.hosts_path()).await?.status, StatusCode::OK);

    let issuer = world.lab.issuer()?;
    let good = || issuer.claims("zhang.san", [group.clone()]);
    let with_group = |other: &str| Claims { groups: vec![group.clone(), other.into()], ..good() };
    let named = |name: &str| Claims { preferred_username: name.into(), ..good() };
    let claims = [
        ("expired", good().shifted(-7200)),
        ("not yet valid", good().shifted(3600)),
        ("for somebody else", Claims { audience: "elsewhere".into(), ..good() }),
        ("of another issuer", Claims { issuer: "https://127.0.0.1:1".into(), ..good() }),
        ("valid for too long", Claims { expires: good().issued_at + 43_201, ..good() }),
        ("a group that may do everything", with_group("system:masters")),
        ("a group of the cluster's own", with_group("kubeadm:cluster-admins")),
        ("a group that looks like two", with_group("x,leaders")),
        ("a group over two lines", with_group("x\nleaders")),
        ("no name", named("")),
        ("a name over two lines", named("zhang\nsan")),
    ];
    let mut tokens = Vec::new();
    for (what, claims) in &claims {
        tokens.push((*what, signed(issuer, claims)?));
    }
    tokens.push(("signed by another key", issuer.forge(&good()).map_err(LabError::from)?));
    // {"alg":"none","typ":"JWT"}, and no signature.
    let payload = signed(issuer, &good())?.split('.').nth(1).map(str::to_owned).unwrap_or_default();
    tokens.push(("not signed", format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.")));
    for (what, token) in tokens {
        let answer = zhang.with_token(Some(token)).get(&bureau.hosts_path()).await?;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_new_key_is_learnt_and_what_the_old_one_signed_is_worth_nothing() -> Result<(), WorldError> {
    let lab = Lab::start(LabOptions::bare().oidc()).await?;
    let issuer = lab.issuer()?;
    let groups = ["clerks"];
    let before = signed(issuer, &issuer.claims("zhang.san", groups))?;
    let known = |token: String| {
        let lab = &lab;
        async move { known_as(lab, &token).await }
    };
    let name = wait_for("a token to be taken", PATIENCE, || known(before.clone())).await?;
    assert_eq!(name, "oidc:zhang.san");
    issuer.rotate().map_err(LabError::from)?;
    let after = signed(issuer, &issuer.claims("zhang.san", groups))?;
    wait_for("a token of the new key to be taken", PATIENCE, || known(after.clone())).await?;
    // Who was let in a moment ago is remembered for ten seconds.
    wait_for("a token of the old key to be refused", PATIENCE, || async {
        match known(before.clone()).await {
            Err(refused) if refused.contains("Unauthorized") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    assert_eq!(known(after).await, Ok("oidc:zhang.san".into()));
    Ok(lab.stop().await?)
}
