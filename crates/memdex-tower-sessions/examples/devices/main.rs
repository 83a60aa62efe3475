//! A web application with sign-in, a list of the devices on which a user is signed in, and "sign out everywhere".
//!
//! ```text
//! cargo run -p memdex-tower-sessions --example devices
//! alias on='curl -s -H "content-type: application/json" -c $device -b $device'
//! device=laptop; on 127.0.0.1:3000/sign-in -d '{"user": "ada", "device": "laptop"}'
//! device=phone; on 127.0.0.1:3000/sign-in -d '{"user": "ada", "device": "phone", "remember": true}'
//! on 127.0.0.1:3000/devices
//! on -X POST 127.0.0.1:3000/sign-out-everywhere
//! device=laptop; on 127.0.0.1:3000/whoami
//! ```

mod app;

use memdex::Store;
use memdex_tower_sessions::MemdexStore;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Store::builder().expire_in_background().build();
    let sessions = MemdexStore::new(&store, "Session")?.user_key(app::USER);
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app::router(sessions)).await?;
    Ok(())
}
