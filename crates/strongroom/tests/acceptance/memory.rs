//! Keys that were destroyed are nowhere in the process's memory any more.

use std::fs::File;
use std::os::unix::fs::FileExt;

use memchr::memmem;
use strongroom_crypto::root::Provider;
use strongroom_crypto::secret::Secret;
use strongroom_crypto::wrap;
use strongroom_sql::{Role, Url, Value};

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::Customer;

#[test]
fn destroyed_keys_are_not_in_memory() {
    let bank = TestBank::open(Engine::Sqlite);
    let ana = block_on(Customer::sign_up(&bank, "ana"));
    let root = root_key(&bank);
    let credential = key(&bank, &root, "credential", &[0; 16]);
    let anas = key(&bank, &root, "person", &id(&ana.id));
    // An expanded AES-256 key begins with the key itself, so keys in use are found.
    assert!(found(&bank, &credential) > 0 && found(&bank, &anas) > 0, "the search finds keys in use");
    assert_eq!(found(&bank, root.expose()), 0, "the root key is not kept");

    let run = |args: &[&str]| {
        let output = bank.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["keys", "rotate", "credential"]);
    run(&["keys", "destroy", "credential", "1", "--yes"]);
    run(&["keys", "erase", &ana.id, "--yes"]);
    block_on(async {
        let _ = ana.client.me().await;
        bank.client().well_known().await.expect("the bank goes on");
    });
    assert_eq!(found(&bank, &credential), 0, "a destroyed key of the bank");
    assert_eq!(found(&bank, &anas), 0, "an erased person's key");
}

fn root_key(bank: &TestBank) -> Secret {
    let configuration =
        std::fs::read_to_string(bank.home().join("strongroom.toml")).expect("the configuration is there");
    let root = configuration.lines().find_map(|line| line.strip_prefix("root = \"")).expect("it names the root key");
    let provider = Provider::parse(root.trim_end_matches('"')).expect("it is a provider");
    provider.load().expect("the root key is there")
}

/// The first version of a key, as the keyring has it.
fn key(bank: &TestBank, root: &Secret, purpose: &str, series: &[u8; 16]) -> [u8; 32] {
    let url = Url::Sqlite(bank.home().join("keys.db"));
    let mut keyring = strongroom_sql::open(&url, None, Role::Reader).expect("the keyring opens");
    let mut unwrap = |kek: &Secret, purpose: &str, series: &[u8; 16]| {
        let sql =
            "SELECT wrapped, state, created_us FROM wrapped_keys WHERE purpose = ? AND series = ? AND version = 1";
        let rows = keyring.query(sql, &[Value::Text(purpose), Value::Bytes(series)]).expect("keys can be read");
        let hex: String = series.iter().map(|byte| format!("{byte:02x}")).collect();
        let (state, created_us) = (rows[0].int(1).expect("a number"), rows[0].int(2).expect("a time"));
        let info = format!("{purpose}/{hex}/1/{state}/{created_us}");
        wrap::unwrap(kek, &info, rows[0].bytes(0).expect("bytes")).expect("it opens")
    };
    let mut kek_series = [0; 16];
    kek_series[..purpose.len()].copy_from_slice(purpose.as_bytes());
    let kek = unwrap(root, "kek", &kek_series);
    *unwrap(&kek, purpose, series).expose()
}

fn id(text: &str) -> [u8; 16] {
    let hex = text.split_once('_').expect("an id has a prefix").1;
    u128::from_str_radix(hex, 16).expect("an id is hexadecimal").to_be_bytes()
}

/// How often bytes are in the server's memory, by Linux's proc file system.
fn found(bank: &TestBank, bytes: &[u8]) -> usize {
    let process = bank.process_id();
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).expect("a child's memory map can be read");
    let memory = File::open(format!("/proc/{process}/mem")).expect("a child's memory can be read");
    let mut count = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let range = line.split(' ').next().and_then(|range| range.split_once('-')).expect("a range");
        let [from, until] = [range.0, range.1].map(|at| u64::from_str_radix(at, 16).expect("an address"));
        let mut region = vec![0; (until - from) as usize];
        if memory.read_exact_at(&mut region, from).is_ok() {
            count += memmem::find_iter(&region, bytes).count();
        }
    }
    count
}
