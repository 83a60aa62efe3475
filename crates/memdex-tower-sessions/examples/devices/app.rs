//! The routes. The test of the example serves them too.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use memdex_tower_sessions::{Error, MemdexStore};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_sessions::cookie::time::Duration;
use tower_sessions::{Expiry, Session, SessionManagerLayer, session};

/// The keys of a session's data.
pub(crate) const USER: &str = "user_id";
const DEVICE: &str = "device";

pub(crate) fn router(sessions: MemdexStore) -> Router {
    // Browsers send a secure cookie over HTTPS only, and the example speaks HTTP.
    let layer = SessionManagerLayer::new(sessions.clone()).with_secure(false);
    Router::new()
        .route("/sign-in", post(sign_in))
        .route("/whoami", get(whoami))
        .route("/devices", get(devices))
        .route("/sign-out", post(sign_out))
        .route("/sign-out-others", post(sign_out_others))
        .route("/sign-out-everywhere", post(sign_out_everywhere))
        .layer(layer)
        .with_state(sessions)
}

#[derive(Deserialize)]
struct SignIn {
    user: String,
    device: String,
    #[serde(default)]
    remember: bool,
}

/// A real application checks a password here.
async fn sign_in(session: Session, Json(request): Json<SignIn>) -> Result<String, Failure> {
    // The ID that the browser had before the sign-in is not the ID of a signed-in session.
    session.cycle_id().await?;
    session.insert(USER, &request.user).await?;
    session.insert(DEVICE, &request.device).await?;
    let lifetime = if request.remember { Duration::days(30) } else { Duration::hours(12) };
    session.set_expiry(Some(Expiry::OnInactivity(lifetime)));
    Ok(format!("hello {}", request.user))
}

async fn whoami(session: Session) -> Result<String, Failure> {
    user(&session).await
}

/// The IDs of sessions are secrets, so the list is without them.
async fn devices(State(sessions): State<MemdexStore>, session: Session) -> Result<Json<Value>, Failure> {
    let of_user = sessions.sessions_of(user(&session).await?)?;
    let device = |stored: &memdex::Handle<memdex_tower_sessions::StoredSession>| {
        json!({
            "device": stored.get(DEVICE),
            "signed_in": stored.created().to_string(),
            "until": stored.expires_at().map(|time| time.to_string()),
            "this": session.id() == Some(stored.id()),
        })
    };
    Ok(Json(of_user.iter().map(device).collect()))
}

async fn sign_out(session: Session) -> Result<(), Failure> {
    Ok(session.flush().await?)
}

async fn sign_out_others(State(sessions): State<MemdexStore>, session: Session) -> Result<String, Failure> {
    let user = user(&session).await?;
    let this = session.id().ok_or(Failure::NotSignedIn)?;
    Ok(sessions.revoke_others(user, &this)?.to_string())
}

async fn sign_out_everywhere(State(sessions): State<MemdexStore>, session: Session) -> Result<String, Failure> {
    let revoked = sessions.revoke_all(user(&session).await?)?;
    // Removes the cookie too.
    session.flush().await?;
    Ok(revoked.to_string())
}

async fn user(session: &Session) -> Result<String, Failure> {
    session.get(USER).await?.ok_or(Failure::NotSignedIn)
}

enum Failure {
    NotSignedIn,
    Store(String),
}

impl From<session::Error> for Failure {
    fn from(error: session::Error) -> Self {
        Failure::Store(error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Store(error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Failure::NotSignedIn => StatusCode::UNAUTHORIZED.into_response(),
            Failure::Store(error) => {
                eprintln!("{error}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}
