//! Staff: invited, never self-made; they find, lock and unlock people without seeing their data.

use serde_json::{Value, json};
use strongroom_api::Enrolment;

use crate::bank::{Engine, TestBank, block_on};
use crate::customer::{Customer, now_s};

#[test]
fn staff_are_invited_and_handle_people_without_seeing_their_data() {
    let bank = TestBank::open(Engine::Sqlite);
    block_on(async {
        let admin = Customer::sign_in(&bank, "admin").await;
        let mut ana = Customer::sign_up(&bank, "ana").await;
        let invitation = admin.client.invite("teller").await.expect("an administrator may");
        let enrolment = |username: &str| Enrolment {
            code: invitation.code.clone(),
            username: username.into(),
            password: "a password of the new teller's".into(),
            full_name: None,
            email: None,
            phone: None,
            national_id: None,
            date_of_birth: None,
            address: None,
        };
        let early = bank.client().enrol(&enrolment("new.teller")).await.expect_err("a second person has not approved");
        assert_eq!(early.code(), Some("enrolment_refused"));
        let manager = Customer::sign_in(&bank, "manager").await;
        let approval = invitation.approval.as_deref().expect("staff are invited by two");
        let request = manager.client.approval(approval).await.expect("a manager may look");
        manager.client.approve(&manager.signer(), &request, now_s()).await.expect("a manager may");
        bank.client().enrol(&enrolment("new.teller")).await.expect("the code is good");
        let again = bank.client().enrol(&enrolment("second.teller")).await.expect_err("for one person");
        assert_eq!(again.code(), Some("enrolment_refused"));
        let teller = admin.client.find_person("new.teller").await.expect("found by name").expect("there is one");
        assert_eq!(teller.roles, ["teller"]);
        assert!(ana.client.invite("admin").await.is_err(), "nobody makes themselves staff");
        assert!(admin.client.invite("king").await.is_err(), "an unknown role");

        // What staff see of a person is no personal data.
        let seen =
            serde_json::to_value(admin.client.people(None, 200).await.expect("an administrator may")).expect("JSON");
        assert!(!seen.to_string().contains("example.com") && !seen.to_string().contains("new.teller"), "{seen}");
        assert!(admin.client.find_person("an").await.expect("it answers").is_none(), "as a whole only");

        let found = admin.client.find_person("Ana").await.expect("found by name").expect("there is one");
        assert_eq!((found.id.as_str(), found.status.as_str()), (ana.id.as_str(), "active"));
        admin.client.set_locked(&ana.id, true).await.expect("an administrator may");
        assert_eq!(ana.client.me().await.expect_err("she is locked").status(), Some(401));
        assert!(bank.client().refresh(&ana.session.refresh_token).await.is_err(), "everywhere");
        let locked = bank.client().sign_in("ana", &ana.password).await.expect_err("she is locked");
        assert_eq!(locked.code(), Some("bad_credentials"), "a stranger does not learn why");
        let twice = admin.client.set_locked(&ana.id, true).await.expect_err("she is locked already");
        assert_eq!(twice.code(), Some("person_state"));
        admin.client.set_locked(&ana.id, false).await.expect("an administrator may");
        bank.client().sign_in("ana", &ana.password).await.expect("she may again");
        ana.moved_to(&bank);
        assert_eq!(ana.client.me().await.expect_err("old sessions stay ended").status(), Some(401));
        let own = admin.client.set_locked(&admin.id, true).await.expect_err("not oneself");
        assert_eq!(own.code(), Some("own_person"));
    });
    let tail = bank.run(&["audit", "tail", "--count", "60", "--json"]);
    let tail: Value = serde_json::from_slice(&tail.stdout).expect("it prints JSON");
    let events: Vec<&Value> = tail["items"].as_array().expect("a list").iter().map(|entry| &entry["event"]).collect();
    for event in ["person.invited", "person.locked", "person.unlocked"] {
        assert!(events.contains(&&json!(event)), "{event}");
    }
}
