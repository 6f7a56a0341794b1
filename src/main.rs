//! x
use datafusion::prelude::*;
fn main() {
    let rt = tokio::runtime::Runtime::new().unwrap();
    rt.block_on(async {
        let c = SessionContext::new();
        c.sql("select 1+1 a").await.unwrap().show().await.unwrap();
    });
}
