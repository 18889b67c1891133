//! What a monitor sees: `/metrics` on an address of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, transfer};

#[test]
fn a_monitor_reads_what_the_writer_has_done() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let mut bank = TestBank::open(Engine::Sqlite);
    bank.stop();
    let config = bank.home().join("strongroom.toml");
    let text = std::fs::read_to_string(&config).expect("the configuration");
    std::fs::write(&config, format!("{text}\n[metrics]\nlisten = \"127.0.0.1:{port}\"\n")).expect("it can be written");
    bank.start(&[]);
    block_on(async {
        let (ana, teller) = (Customer::sign_up(&bank, "ana").await, Customer::sign_in(&bank, "teller").await);
        let account = ana.open_account().await.id;
        teller.deposit(&account, "10.00").await;
        let order = transfer("o-1", &account, &account, "1.00");
        assert_eq!((ana.order(&order).await.status, ana.order(&order).await.status), (422, 422));
    });
    let text = get(port, "/metrics");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("openmetrics-text; version=1.0.0"), "{text}");
    let value = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        line.trim().parse().expect("a number")
    };
    assert_eq!(value("strongroom_orders_total{outcome=\"carried_out\"}"), 1.0);
    assert_eq!(value("strongroom_orders_total{outcome=\"refused\"}"), 1.0);
    assert_eq!(value("strongroom_orders_total{outcome=\"replayed\"}"), 1.0);
    assert_eq!(value("strongroom_read_only"), 0.0);
    assert_eq!(value("strongroom_queue_tasks{lane=\"money\"}"), 0.0);
    assert!(value("strongroom_commit_seconds_count") >= 5.0 && value("strongroom_commit_seconds_sum") > 0.0);
    assert!(value("strongroom_queue_wait_seconds_count") >= value("strongroom_batch_tasks_count"));
    assert!(value("strongroom_log_entries") >= 5.0);
    assert!(text.trim_end().ends_with("# EOF"));
    assert!(get(port, "/v1/accounts").starts_with("HTTP/1.1 404"), "nothing else is told there");
}

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers and closes");
    text
}
