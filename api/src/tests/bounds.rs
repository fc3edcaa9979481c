//! How much one caller may ask for.

use std::{net::SocketAddr, time::Duration};

use axum::{body::Body, extract::ConnectInfo};
use futures::future::join_all;
use http::{Method, Request};
use serde_json::json;
use tokio::time::Instant;

use super::{
    Answer, Api, request,
    stub::{ApiServer, city, finance, host, order},
};
use crate::bounds::BoundOptions;

const HOSTS: &str = "/v1/departments/finance/hosts";
const HOST: &str = "/v1/departments/finance/hosts/web-1";

fn from(address: &str, token: &str) -> Request<Body> {
    let mut request = request(Method::GET, HOST, &[], "");
    let headers = request.headers_mut();
    headers.remove("authorization");
    if !token.is_empty() {
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let peer: SocketAddr = format!("{address}:4711").parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    request
}

fn server() -> ApiServer {
    ApiServer::default().on(&format!("GET {}", finance("cloudhosts/web-1")), 200, host("1", &json!({})))
}

fn api(options: &BoundOptions) -> Api {
    Api::over(server()).bounded(options)
}

async fn ask(api: &Api, address: &str, token: &str) -> Answer {
    api.send(from(address, token)).await
}

fn refused_by(api: &Api, bound: &str) -> Option<String> {
    let text = api.metrics.text(&api.app).unwrap();
    let start = format!("jiyun_api_refused_requests_total{{bound=\"{bound}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
}

#[tokio::test(start_paused = true)]
async fn one_abusive_caller_does_not_keep_another_from_being_answered() {
    let api = api(&BoundOptions {
        caller_rate: 2,
        caller_burst: 4,
        address_rate: 20,
        address_burst: 20,
        ..BoundOptions::NONE
    });
    let asked = join_all((0..100).map(|_| ask(&api, "10.0.0.1", "mallory"))).await;
    assert_eq!(asked.iter().filter(|answer| answer.status == 200).count(), 4);
    // The one who shares the address with the other pays nothing for it.
    for _ in 0..4 {
        assert_eq!(ask(&api, "10.0.0.1", "alice").await.status, 200);
    }
    assert_eq!(api.server.seen().len(), 8, "what is refused costs the API server nothing");
    assert_eq!(refused_by(&api, "caller_rate").as_deref(), Some("96"));
}

#[tokio::test(start_paused = true)]
async fn who_asks_again_at_once_waits_for_each_no_and_keeps_a_place_meanwhile() {
    let bounds = BoundOptions { caller_rate: 1, caller_burst: 1, caller_under_way: 2, ..BoundOptions::NONE };
    let (api, begun) = (api(&bounds), Instant::now());
    ask(&api, "10.0.0.1", "mallory").await;
    assert!(begun.elapsed() < Duration::from_millis(1), "whom nothing is held against is not kept waiting");
    let asked = join_all((0..3).map(|_| ask(&api, "10.0.0.1", "mallory"))).await;
    assert!(asked.iter().all(|answer| answer.status == 429));
    assert_eq!(begun.elapsed().as_millis() / 10, 20);
    assert_eq!(refused_by(&api, "caller_rate").as_deref(), Some("2"));
    assert_eq!(refused_by(&api, "caller_under_way").as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn who_is_told_to_come_back_is_let_in_then() {
    let api = api(&BoundOptions { caller_rate: 1, caller_burst: 1, ..BoundOptions::NONE });
    assert_eq!(ask(&api, "10.0.0.1", "alice").await.status, 200);
    let refused = ask(&api, "10.0.0.1", "alice").await;
    let document = refused.problem(429, "TooManyRequests");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(document["parameters"]["seconds"], "1");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(ask(&api, "10.0.0.1", "alice").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn making_up_tokens_is_no_way_round() {
    let api = api(&BoundOptions {
        caller_rate: 5,
        caller_burst: 5,
        address_rate: 10,
        address_burst: 10,
        ..BoundOptions::NONE
    });
    let asked = (0..100).map(|number| {
        let api = &api;
        async move { ask(api, "10.0.0.1", &format!("made-up-{number}")).await }
    });
    for (number, answer) in join_all(asked).await.iter().enumerate() {
        assert_eq!(answer.status.as_u16(), if number < 10 { 200 } else { 429 }, "{number}");
    }
    assert_eq!(refused_by(&api, "address_rate").as_deref(), Some("90"));
    assert_eq!(ask(&api, "10.0.0.2", "alice").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn without_a_token_the_address_is_the_caller() {
    let api = api(&BoundOptions { caller_rate: 1, caller_burst: 2, ..BoundOptions::NONE });
    for status in [401, 401, 429] {
        assert_eq!(ask(&api, "10.0.0.1", "").await.status.as_u16(), status);
    }
    ask(&api, "10.0.0.2", "").await.problem(401, "MissingToken");
    assert_eq!(ask(&api, "10.0.0.1", "alice").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_decisions_has_requests_under_way_and_others_are_answered_meanwhile() {
    let server = city()
        .on(&format!("POST {}", finance("cloudhosts")), 201, host("7", &json!({})))
        .watch(&finance("cloudhosts"), &[])
        .on(&format!("GET {}", finance("cloudhosts/web-1")), 200, host("1", &json!({})));
    let api = Api::over(server).bounded(&BoundOptions { caller_under_way: 3, ..BoundOptions::NONE });
    let wait = || request(Method::POST, HOSTS, &[("prefer", "wait=30")], &order().to_string());
    let waiting: Vec<_> = (0..3).map(|_| Box::pin(api.send(wait()))).collect();
    let mut waiting = join_all(waiting);
    assert!(futures::poll!(&mut waiting).is_pending());
    let refused = api.send(wait()).await;
    refused.problem(429, "TooManyRequests");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(ask(&api, "10.0.0.1", "bob").await.status, 200);
    for answer in waiting.await {
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
    assert_eq!(api.get(HOST).await.status, 200, "its places came back");
    assert_eq!(refused_by(&api, "caller_under_way").as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn an_address_has_its_own_number_under_way() {
    let never = ApiServer::default().never(&format!("GET {}", finance("cloudhosts/web-1")));
    let api = Api::over(never).bounded(&BoundOptions { address_under_way: 1, ..BoundOptions::NONE });
    let mut stuck = Box::pin(ask(&api, "10.0.0.1", "made-up-1"));
    assert!(futures::poll!(&mut stuck).is_pending());
    ask(&api, "10.0.0.1", "made-up-2").await.problem(429, "TooManyRequests");
    assert_eq!(refused_by(&api, "address_under_way").as_deref(), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn the_usual_bounds_do_not_hinder_a_program_that_works_through_a_list() {
    use clap::Parser;
    #[derive(Parser)]
    struct Usual {
        #[command(flatten)]
        bounds: BoundOptions,
    }
    let api = api(&Usual::parse_from([""]).bounds);
    for number in 0..100 {
        assert_eq!(ask(&api, "10.0.0.1", "alice").await.status, 200, "{number}");
        tokio::time::advance(Duration::from_millis(50)).await;
    }
}
