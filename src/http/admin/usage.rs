//! `/api/v1/admin/usage`.

use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};
use chrono::NaiveDate;
use serde::Serialize;

use crate::app::App;
use crate::error::Result;
use crate::http::Admin;
use crate::http::params::Params;
use crate::http::usage::days;
use crate::id::UserId;
use crate::store::usage::{OfAll, OfUser, OnDay, by_day, by_service, by_user};
use crate::usage::date_of;

/// By what the requests are added up.
#[derive(Clone, Copy)]
enum Group {
    Day,
    User,
    Service,
}

#[derive(Serialize)]
struct DayBody {
    day: NaiveDate,
    requests: i64,
}

#[derive(Serialize)]
struct OfUserBody {
    user_id: UserId,
    requests: i64,
}

#[derive(Serialize)]
struct OfServiceBody {
    service: String,
    requests: i64,
}

pub(in crate::http) async fn list(app: Data<App>, _admin: Admin, params: Params) -> Result<impl Responder> {
    let group = params.parsed("group", "day, user or service", |text| match text {
        "day" => Some(Group::Day),
        "user" => Some(Group::User),
        "service" => Some(Group::Service),
        _ => None,
    })?;
    let days = days(&app, &params)?;
    // A cursor has its list's letter, the number, and whose it is.
    Ok(match group.unwrap_or(Group::Day) {
        Group::Day => {
            let none = |rest: &[u8]| rest.is_empty().then_some(());
            let page = params.page_after(|cursor| place(cursor, b'd', none))?;
            let rows = by_day(&app.db, days, page.before.map(|(day, ())| day), page.rows()).await?;
            let item = |row: OnDay| DayBody { day: date_of(row.day), requests: row.requests };
            HttpResponse::Ok().json(page.list(rows, |row| written(b'd', row.day, b""), item))
        }
        Group::User => {
            let id = |rest: &[u8]| <[u8; 16]>::try_from(rest).ok().map(UserId::from);
            let page = params.page_after(|cursor| place(cursor, b'u', id))?;
            let rows = by_user(&app.db, days, page.before, page.rows()).await?;
            let item = |row: OfUser| OfUserBody { user_id: row.user_id, requests: row.requests };
            let key = |row: &OfUser| written(b'u', row.requests, row.user_id.as_bytes());
            HttpResponse::Ok().json(page.list(rows, key, item))
        }
        Group::Service => {
            let name =
                |rest: &[u8]| String::from_utf8(rest.to_vec()).ok().filter(|name| !name.contains('\0'));
            let page = params.page_after(|cursor| place(cursor, b's', name))?;
            let after = page.before.as_ref().map(|(requests, name)| (*requests, name.as_str()));
            let rows = by_service(&app.db, days, after, page.rows()).await?;
            let item = |row: OfAll| OfServiceBody { service: row.service, requests: row.requests };
            let key = |row: &OfAll| written(b's', row.requests, row.service.as_bytes());
            HttpResponse::Ok().json(page.list(rows, key, item))
        }
    })
}

fn written(list: u8, number: i64, rest: &[u8]) -> Vec<u8> {
    [&[list][..], &number.to_be_bytes(), rest].concat()
}

fn place<T>(cursor: &[u8], list: u8, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<(i64, T)> {
    let (number, rest) = cursor.strip_prefix(&[list])?.split_first_chunk()?;
    Some((i64::from_be_bytes(*number), read(rest)?))
}
