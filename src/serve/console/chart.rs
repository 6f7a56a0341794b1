//! Charts as SVG that stands in a page: no script, no style of its own, and a text that tells the same.

use maud::{Markup, html};

/// One bar: what it is called, its value, and how that is written.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) shown: String,
}

/// Width of a chart in its own units.
const WIDTH: f64 = 640.0;

/// Room for names on the left, and for values on the right.
const NAMES: f64 = 150.0;
const VALUES: f64 = 110.0;

fn round(number: f64) -> String {
    format!("{number:.1}")
}

/// Bars, one below the other; nothing where there is none.
pub(super) fn bars(title: &str, bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let row = 26.0;
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    let height = row * bars.len() as f64 + 4.0;
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    let top = |at: usize| row * at as f64;
    let width = |value: f64| if most > 0.0 { (WIDTH - NAMES - VALUES) * value / most } else { 0.0 };
    html! {
        @if !bars.is_empty() {
            figure { svg viewBox=(format!("0 0 {WIDTH} {}", round(height))) role="img" aria-label=(described(title, bars)) {
                @for (at, bar) in bars.iter().enumerate() {
                    text x=(round(NAMES - 8.0)) y=(round(top(at) + 18.0)) text-anchor="end" { (short(&bar.name)) }
                    rect.after x=(round(NAMES)) y=(round(top(at) + 5.0)) width=(round(width(bar.value).max(1.0))) height="17" {}
                    text.n x=(round(NAMES + width(bar.value).max(1.0) + 6.0)) y=(round(top(at) + 18.0)) { (bar.shown) }
                }
            } }
        }
    }
}

/// What a chart shows, in words.
fn described(title: &str, bars: &[Bar]) -> String {
    let all: Vec<String> = bars.iter().map(|bar| format!("{} {}", bar.name, bar.shown)).collect();
    format!("{title}: {}", all.join("; "))
}

/// A name that fits beside a bar.
fn short(name: &str) -> String {
    let (mut room, mut text) = (20_usize, String::new());
    for sign in name.chars() {
        let wide = if sign.is_ascii() { 1 } else { 2 };
        if room < wide + 1 {
            text.push('…');
            break;
        }
        room -= wide;
        text.push(sign);
    }
    text
}

/// A line through values in time; nothing for fewer than two.
pub(super) fn line(title: &str, points: &[Bar]) -> Markup {
    if points.len() < 2 {
        return html! {};
    }
    let (left, right, top, bottom, height) = (14.0, 100.0, 24.0, 150.0, 176.0);
    let most = points.iter().map(|point| point.value).fold(0.0, f64::max).max(1.0);
    #[expect(clippy::cast_precision_loss, reason = "a handful of points")]
    let x = |at: usize| left + (WIDTH - left - right) * at as f64 / (points.len() - 1) as f64;
    let y = |value: f64| bottom - (bottom - top) * value / most;
    let path: Vec<String> = points.iter().enumerate().map(|(at, point)| format!("{},{}", round(x(at)), round(y(point.value)))).collect();
    let named = [0, points.len() - 1];
    html! {
        figure { svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(described(title, points)) {
            @for part in [0.0, 0.5, 1.0] {
                line.grid x1=(round(left)) x2=(round(WIDTH - right)) y1=(round(y(most * part))) y2=(round(y(most * part))) {}
            }
            polyline.line points=(path.join(" ")) {}
            @for (at, point) in points.iter().enumerate() { circle.dot cx=(round(x(at))) cy=(round(y(point.value))) r="4" {} }
            @for at in named {
                text x=(round(x(at))) y=(round(height - 8.0)) text-anchor=(if at == 0 { "start" } else { "end" }) { (points[at].name) }
            }
            @if let Some(last) = points.last() {
                text.n x=(round(WIDTH - right + 8.0)) y=(round(y(last.value) + 4.0)) { (last.shown) }
            }
        } }
    }
}

/// Two thin bars, before above after, for a cell of a table; what they show stands in the cells beside them.
pub(super) fn pair(before: u64, after: u64, most: u64) -> Markup {
    #[expect(clippy::cast_precision_loss, reason = "a picture")]
    let width = |count: u64| if most == 0 { 0.0 } else { 120.0 * count as f64 / most as f64 };
    html! {
        svg.bars viewBox="0 0 120 16" width="120" height="16" aria-hidden="true" focusable="false" {
            rect.before x="0" y="1" width=(round(width(before))) height="6" {}
            rect.after x="0" y="9" width=(round(width(after))) height="6" {}
        }
    }
}

/// What the two colours stand for.
pub(super) fn key(before: &str, after: &str) -> Markup {
    let sign = |class: &str| html! { svg viewBox="0 0 10 10" aria-hidden="true" focusable="false" { rect class=(class) width="10" height="10" {} } };
    html! { p.key { span { (sign("before")) " " (before) } span { (sign("after")) " " (after) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, value: f64) -> Bar {
        Bar { name: name.to_owned(), value, shown: value.to_string() }
    }

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let svg = bars("Money", &[bar("A & B", 2.0), bar("很长很长的一个区县名称很长很长", 1.0)]).into_string();
        assert!(svg.contains("aria-label=\"Money: A &amp; B 2; 很长很长的一个区县名称很长很长 1\""), "{svg}");
        assert!(svg.contains('…') && !svg.contains("style="), "{svg}");
        assert!(bars("Nothing", &[]).into_string().is_empty());
    }

    #[test]
    fn a_line_needs_two_points() {
        assert!(line("One", &[bar("a", 1.0)]).into_string().is_empty());
        assert!(line("Two", &[bar("a", 1.0), bar("b", 0.0)]).into_string().contains("polyline"));
    }
}
