//! What of a request is measured and recorded, where somebody wants to know.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{HttpMessage, HttpRequest};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::counts::METHODS;
use crate::traces::{Attribute, Present, Traces};

/// What a request is counted under that reached no route, or of which that is not known: it was given up, or its handler
/// panicked.
pub(super) const NO_ROUTE: &str = "none";

/// What routes are counted under that are not the service's.
pub(super) const OWN_ROUTE: &str = "own";

/// Under which number the requests of a resource are counted: that of its place on the surface, after the two above.
#[derive(Clone, Copy)]
pub(super) struct Counted(usize);

impl Counted {
    pub fn at(place: usize) -> Counted {
        Counted(place + 2)
    }
}

/// Notes that a request's path is none.
pub(super) struct Nowhere;

/// Where there is something to count or to trace. A worker's own, so that no two cores share what counts its users.
#[derive(Clone)]
pub(super) struct Watching(Rc<Watched>);

struct Watched {
    app: Arc<App>,
}

impl Watching {
    /// `None` where nobody wants to know.
    pub fn of(app: &Arc<App>) -> Option<Watching> {
        let wanted = app.counts.hot.is_some() || app.traces.is_some();
        wanted.then(|| Watching(Rc::new(Watched { app: app.clone() })))
    }

    /// Where spans are wanted, with the time at which one begins.
    pub fn traces(&self) -> Option<(&Traces, DateTime<Utc>)> {
        Some((self.0.app.traces.as_ref()?, self.0.app.clock.now()))
    }

    /// Counts a request that was answered, or given up.
    pub fn count(&self, request: Option<&HttpRequest>, method: &Method, status: u16, took: Duration) {
        if let Some(hot) = &self.0.app.counts.hot {
            let route = request.map_or(0, route_number);
            hot.requests.count(route, method.as_str(), status, took);
        }
    }
}

/// The request's span, by OpenTelemetry's conventions for HTTP.
pub(super) fn record(
    present: &Present,
    request: Option<&HttpRequest>,
    method: &Method,
    status: u16,
    took: Duration,
) {
    let known = METHODS.into_iter().find(|known| *known == method.as_str());
    let method = known.unwrap_or("_OTHER");
    let route = request.and_then(HttpRequest::match_pattern);
    let name = match (&route, known) {
        (Some(route), _) => format!("{method} {route}"),
        (None, Some(method)) => method.to_owned(),
        (None, None) => "HTTP".to_owned(),
    };
    let failed = status >= 500;
    let mut attributes = vec![
        Attribute::Text("http.request.method", method.into()),
        Attribute::Number("http.response.status_code", status.into()),
        Attribute::Text("portcullis.request_id", present.request_id.clone().into()),
    ];
    if let Some(request) = request {
        let scheme = if request.app_config().secure() { "https" } else { "http" };
        attributes.push(Attribute::Text("url.scheme", scheme.into()));
    }
    if let (Some(route), Some(request)) = (route, request) {
        attributes.push(Attribute::Text("url.path", shown(request.path(), &route).to_owned().into()));
        attributes.push(Attribute::Text("http.route", route.into()));
    }
    if failed {
        attributes.push(Attribute::Text("error.type", status.to_string().into()));
    }
    present.ended(name, attributes, failed, took);
}

/// The path, if all that a client may choose in it are ids: what else stands there may be a name, an address, or a token that went astray.
fn shown<'t>(path: &'t str, route: &'t str) -> &'t str {
    let fits = |(part, pattern): (&str, &str)| part == pattern || Uuid::try_parse(part).is_ok();
    let as_many = path.split('/').count() == route.split('/').count();
    if as_many && path.split('/').zip(route.split('/')).all(fits) { path } else { route }
}

fn route_number(request: &HttpRequest) -> usize {
    match request.app_data::<Counted>() {
        Some(Counted(number)) => *number,
        // A question of a browser that no route sees.
        None if request.method() == Method::OPTIONS => 0,
        None => usize::from(!request.extensions().contains::<Nowhere>()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{endpoints, tutorial_endpoints};
    use super::*;

    #[test]
    fn a_path_is_shown_where_its_parts_are_ids() {
        let (route, id) = ("/users/{id}/sessions", "0192f0c1-2b3c-7d4e-8f50-617283940a1b");
        let of_id = format!("/users/{id}/sessions");
        assert_eq!(shown(&of_id, route), of_id);
        assert_eq!(shown("/users/ada@example.com/sessions", route), route);
        let key = "/users/pc_key_0123456789abcdefghijklmnopqrstuvwxyz-/sessions";
        assert_eq!(shown(key, route), route);
        assert_eq!(shown("/docs/a/b", "/docs/{file}"), "/docs/{file}");
        assert_eq!(shown("/health/live", "/health/live"), "/health/live");
    }

    #[test]
    fn there_is_room_for_each_route() {
        let Counted(next) = Counted::at(endpoints().len() + tutorial_endpoints().len());
        assert!(next <= crate::counts::ROUTES, "{next} routes");
    }
}
