//! An interval as one JSON object, the shape that docs/guides/top.md describes.

use serde_json::{Map, Value as Json, json};

use crate::interval::Interval;
use crate::table::{Column, Row, Table};
use crate::views::View;

/// The object: when the interval ended (RFC 3339), where figures come from, and each of these views.
pub fn object(interval: &mut Interval, time: &str, source: Json, views: &[View]) -> Json {
    let length_ns = u64::try_from(interval.length.as_nanos()).unwrap_or(u64::MAX);
    let mut object = Map::new();
    object.insert("time".into(), time.into());
    object.insert("interval_ns".into(), length_ns.into());
    object.insert("source".into(), source);
    object.insert("flows_by".into(), interval.by.word().into());
    let losses = interval.losses;
    object.insert(
        "losses".into(),
        json!({ "lost": losses.lost, "unknown_totals": losses.unknown_totals }),
    );
    for view in views {
        object.insert(view.name().into(), table(&interval.table(*view)));
    }
    Json::Object(object)
}

fn table(table: &Table) -> Json {
    let rows: Vec<_> = table.rows.iter().map(|values| row(table.columns, values)).collect();
    let mut object = Map::new();
    object.insert("rows".into(), rows.into());
    if let Some((values, count)) = &table.others {
        let mut others = row(table.columns, values);
        if let Json::Object(fields) = &mut others {
            fields.insert("rows".into(), (*count).into());
        }
        object.insert("others".into(), others);
    }
    Json::Object(object)
}

/// A row: `process.pid` is `pid` in the object `process`.
fn row(columns: &[Column], values: &Row) -> Json {
    let mut object = Map::new();
    for (column, value) in columns.iter().zip(values) {
        let Some(value) = value.json() else { continue };
        match column.path.split_once('.') {
            None => {
                object.insert(column.path.into(), value);
            }
            Some((outer, inner)) => {
                let outer = object.entry(outer).or_insert_with(|| Json::Object(Map::new()));
                if let Json::Object(outer) = outer {
                    outer.insert(inner.into(), value);
                }
            }
        }
    }
    Json::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use crate::views::flows::By;

    #[test]
    fn every_figure_is_in_the_object() {
        let mut interval = samples::interval(By::Connection);
        let source = json!({ "kind": "kernel" });
        let object = object(&mut interval, "2026-11-22T09:10:11Z", source, &View::ALL);
        assert_eq!(object["interval_ns"], 1_000_000_000_u64);
        assert_eq!(
            object["flows"]["rows"][0],
            json!({
                "protocol": "tcp",
                "source": { "name": "curl", "address": "10.0.0.1", "port": 40_000 },
                "destination": { "name": "shop/web-1", "address": "10.0.0.2", "port": 80 },
                "bytes_sent": "78", "bytes_received": "3000000",
                "packets_sent": 1500, "packets_received": 1500, "retransmits": 1,
                "rtt_us": 350, "connections_opened": 1, "connect_latency_ns": 1_200_000,
                "connections_failed": 0, "drops": 3,
            })
        );
        let process = &object["processes"]["rows"][0];
        assert_eq!(process["process"], json!({ "pid": 4321, "comm": "curl" }));
        assert_eq!(process["cpu_percent_of_one_core"], 12.34);
        let workload = &object["workloads"]["rows"][1];
        assert_eq!(workload["pod"], json!({ "namespace": "shop", "name": "web-1" }));
        assert_eq!(workload["workload"], "Deployment/web");
        assert_eq!(object["drops"]["rows"][0]["packets"], 3);
        assert_eq!(object["signals"]["rows"][0]["per_event_ns"], 800);
        assert_eq!(object["signals"]["rows"][1].get("per_event_ns"), None);
        assert_eq!(object["losses"], json!({ "lost": 0, "unknown_totals": 0 }));
    }

    #[test]
    fn what_fell_out_is_told_as_others() {
        let mut watch = crate::Watch::new(1, By::Pair);
        for pid in 1..=3 {
            watch.take(&crate::Fact::Exec { owner: &samples::owner(pid, "sh", None) });
        }
        let mut interval = watch.end_interval(std::time::Duration::from_secs(1), By::Pair);
        let object = object(&mut interval, "", Json::Null, &[View::Processes]);
        let processes = &object["processes"];
        assert_eq!(processes["rows"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&processes["others"]["rows"], &processes["others"]["execs"]),
            (&json!(2), &json!(2))
        );
    }
}
