//! The example over HTTP, with the cookies of several devices.

#[path = "../examples/devices/app.rs"]
mod app;

use memdex::clock::ManualClock;
use memdex::{Store, Timestamp};
use memdex_tower_sessions::MemdexStore;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const HOUR: Duration = Duration::from_secs(3_600);

/// The application on a free port, until it is dropped.
struct Server {
    address: SocketAddr,
    clock: ManualClock,
    store: Store,
    sessions: MemdexStore,
    _runtime: Runtime,
}

impl Server {
    fn start() -> Self {
        let clock = ManualClock::starting_at(Timestamp::now());
        let store = Store::builder().clock(clock.clone()).build();
        let sessions = MemdexStore::new(&store, "Session").unwrap().user_key(app::USER);
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let router = app::router(sessions.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Server { address, clock, store, sessions, _runtime: runtime }
    }

    fn device(&self) -> Device {
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(20)));
        Device { address: self.address, agent: config.build().into(), cookie: None }
    }

    fn signed_in(&self, user: &str, device: &str, remember: bool) -> Device {
        let mut signed_in = self.device();
        let body = json!({ "user": user, "device": device, "remember": remember });
        assert_eq!(signed_in.post("/sign-in", &body.to_string()), (200, format!("hello {user}")));
        assert!(signed_in.cookie.is_some());
        signed_in
    }
}

/// A browser: it keeps the cookie of the session.
struct Device {
    address: SocketAddr,
    agent: ureq::Agent,
    cookie: Option<String>,
}

impl Device {
    fn get(&mut self, path: &str) -> (u16, String) {
        let request = self.agent.get(format!("http://{}{path}", self.address));
        let response = request.header("cookie", self.cookie.as_deref().unwrap_or_default()).call();
        self.read(response.unwrap())
    }

    fn post(&mut self, path: &str, body: &str) -> (u16, String) {
        let request = self.agent.post(format!("http://{}{path}", self.address));
        let request = request.header("content-type", "application/json");
        let response = request.header("cookie", self.cookie.as_deref().unwrap_or_default()).send(body);
        self.read(response.unwrap())
    }

    fn read(&mut self, mut response: ureq::http::Response<ureq::Body>) -> (u16, String) {
        if let Some(cookie) = response.headers().get("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let removes = cookie.contains("Max-Age=0");
            self.cookie = cookie.split(';').next().filter(|_| !removes).map(str::to_owned);
        }
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }

    fn user(&mut self) -> Option<String> {
        match self.get("/whoami") {
            (200, user) => Some(user),
            (status, _) => {
                assert_eq!(status, 401);
                None
            }
        }
    }

    /// The names of the user's devices, and which of them this is.
    fn devices(&mut self) -> Vec<(String, bool)> {
        let (status, body) = self.get("/devices");
        assert_eq!(status, 200);
        let devices: Vec<Value> = serde_json::from_str(&body).unwrap();
        let device = |device: Value| (device["device"].as_str().unwrap().to_owned(), device["this"].as_bool().unwrap());
        devices.into_iter().map(device).collect()
    }
}

#[test]
fn sign_out_everywhere_ends_all_sessions_of_a_user() {
    let server = Server::start();
    assert_eq!(server.device().user(), None);
    let mut laptop = server.signed_in("ada", "laptop", false);
    server.clock.advance(Duration::from_secs(1));
    let mut phone = server.signed_in("ada", "phone", true);
    let mut other = server.signed_in("bob", "desk", false);
    assert_eq!((laptop.user().as_deref(), phone.user().as_deref()), (Some("ada"), Some("ada")));
    assert_eq!(laptop.devices(), [("laptop".to_owned(), true), ("phone".to_owned(), false)]);
    assert_eq!(phone.devices(), [("laptop".to_owned(), false), ("phone".to_owned(), true)]);
    assert_eq!(other.devices(), [("desk".to_owned(), true)]);

    let stolen = phone.cookie.clone();
    assert_eq!(phone.post("/sign-out-everywhere", ""), (200, "2".to_owned()));
    assert_eq!(phone.cookie, None);
    assert_eq!((laptop.user(), phone.user()), (None, None));
    phone.cookie = stolen;
    assert_eq!(phone.user(), None);
    assert_eq!(other.user().as_deref(), Some("bob"));
    assert_eq!(server.sessions.count(), 1);
    server.store.verify().unwrap();
}

#[test]
fn sign_out_ends_one_or_the_others() {
    let server = Server::start();
    let mut devices = ["laptop", "phone", "tablet"].map(|device| server.signed_in("ada", device, false));
    assert_eq!(devices[0].post("/sign-out", "").0, 200);
    assert_eq!(devices.each_mut().map(|device| device.user().is_some()), [false, true, true]);
    assert_eq!(devices[2].post("/sign-out-others", ""), (200, "1".to_owned()));
    assert_eq!(devices.each_mut().map(|device| device.user().is_some()), [false, false, true]);
}

#[test]
fn sessions_expire_by_the_clock_of_the_store() {
    let server = Server::start();
    let mut laptop = server.signed_in("ada", "laptop", false);
    let mut phone = server.signed_in("ada", "phone", true);
    server.clock.advance(11 * HOUR);
    assert!(laptop.user().is_some() && phone.user().is_some());
    server.clock.advance(2 * HOUR);
    assert_eq!((laptop.user(), phone.user().as_deref()), (None, Some("ada")));
    assert_eq!(phone.devices(), [("phone".to_owned(), true)]);
    server.clock.advance(30 * 24 * HOUR);
    assert_eq!((phone.user(), server.sessions.count()), (None, 0));
}

#[test]
fn a_sign_in_gets_another_id() {
    let server = Server::start();
    let mut laptop = server.signed_in("ada", "laptop", false);
    let before = laptop.cookie.clone();
    assert_eq!(laptop.post("/sign-in", &json!({ "user": "bob", "device": "laptop" }).to_string()).0, 200);
    assert_ne!(laptop.cookie, before);
    laptop.cookie = before;
    assert_eq!(laptop.user(), None);
    assert_eq!((server.sessions.sessions_of("ada").unwrap().len(), server.sessions.count()), (0, 1));
}
