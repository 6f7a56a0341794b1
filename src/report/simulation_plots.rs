//! Plots of a simulation as SVG text that stands inside a page: no fonts, no scripts, nothing from elsewhere.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::simulation::HIDDEN;

/// Before.
pub(super) const BEFORE: RGBColor = RGBColor(148, 163, 184);
/// After, and who wins.
pub(super) const AFTER: RGBColor = RGBColor(30, 100, 170);
/// Who loses.
pub(super) const LOSS: RGBColor = RGBColor(196, 84, 52);
const INK: RGBColor = RGBColor(51, 65, 85);
const RULE: RGBColor = RGBColor(226, 232, 240);

/// One series of a plot: a colour, and a value for each category; none where it is hidden.
pub(super) struct Series {
    pub(super) color: RGBColor,
    pub(super) values: Vec<Option<f64>>,
}

/// A colour as pages write it.
pub(super) fn css(color: RGBColor) -> String {
    format!("#{:02x}{:02x}{:02x}", color.0, color.1, color.2)
}

/// What goes wrong when a plot is drawn into memory: nothing that people can mend, so the plot is left out.
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn picture(size: (u32, u32), draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn) -> String {
    let mut text = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        draw(&area).and_then(|()| Ok(area.present()?))
    };
    if drawn.is_err() {
        return String::new();
    }
    // The size is the page's to choose.
    let (width, height) = size;
    let fixed = format!("<svg width=\"{width}\" height=\"{height}\"");
    text.replacen(&fixed, "<svg", 1)
}

/// Round bounds and steps that hold all values and zero.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let (low, high) = values.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let span = if high - low > 0.0 { high - low } else { 1.0 };
    let rough = span / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough).unwrap_or(rough);
    let high = if high > 0.0 || low >= 0.0 { ((high / step).ceil() * step).max(step) } else { 0.0 };
    ((low / step).floor() * step, high, step)
}

/// A number in few characters: 12 k, 3.4 M, or 万 and 亿.
pub(super) fn short(value: f64, chinese: bool) -> String {
    let units: [(f64, &str); 3] = if chinese { [(1e8, "亿"), (1e4, "万"), (1.0, "")] } else { [(1e6, " M"), (1e3, " k"), (1.0, "")] };
    let size = value.abs();
    let (unit, word) = units.into_iter().find(|(unit, _)| size >= *unit).unwrap_or((1.0, ""));
    let text = format!("{:.2}", value / unit);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{}{word}", if text == "-0" { "0" } else { text })
}

fn style(size: i32, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    TextStyle::from(("sans-serif", size).into_font()).color(&INK).pos(Pos::new(horizontal, vertical))
}

/// How long a text is drawn, in pixels: Chinese characters are as wide as they are high.
fn width_of(text: &str, size: f64) -> f64 {
    f64::from(u32::try_from(unicode_width::UnicodeWidthStr::width(text)).unwrap_or(0)) * size * 0.55
}

/// Bars side by side for each category; values may be below zero. The sign `∗` stands where all are hidden.
pub(super) fn bars(categories: &[String], series: &[Series], chinese: bool) -> String {
    upright(categories, series, chinese, series.len())
}

/// Bars of which each category has one above the line and one below it.
pub(super) fn bars_in_one(categories: &[String], series: &[Series], chinese: bool) -> String {
    upright(categories, series, chinese, 1)
}

fn upright(categories: &[String], series: &[Series], chinese: bool, beside: usize) -> String {
    if categories.is_empty() {
        return String::new();
    }
    picture((820, 300), |area| {
        let (low, high, step) = bounds(series.iter().flat_map(|series| series.values.iter().flatten().copied()));
        let places = count(categories.len());
        let mut chart = ChartBuilder::on(area)
            .margin(14)
            .set_label_area_size(LabelAreaPosition::Left, 64)
            .set_label_area_size(LabelAreaPosition::Bottom, 44)
            .build_cartesian_2d(0.0..places, low..high)?;
        let ticks = ticks(low, high, step);
        chart.draw_series(
            ticks.iter().map(|tick| PathElement::new(vec![(0.0, *tick), (places, *tick)], if *tick == 0.0 { INK } else { RULE })),
        )?;
        chart.draw_series(ticks.iter().map(|tick| {
            EmptyElement::at((0.0, *tick)) + Text::new(short(*tick, chinese), (-8, 0), style(13, HPos::Right, VPos::Center))
        }))?;
        let width = 0.74 / count(beside);
        for (at, series) in series.iter().enumerate() {
            let left = 0.13 + width * count(at % beside);
            let known = series.values.iter().enumerate().filter_map(|(place, value)| Some((count(place), (*value)?)));
            chart.draw_series(known.map(|(place, value)| {
                Rectangle::new([(place + left, 0.0), (place + left + width * 0.94, value)], series.color.filled())
            }))?;
        }
        let hidden = (0..categories.len()).filter(|&place| series.iter().all(|series| series.values[place].is_none()));
        chart.draw_series(hidden.map(|place| {
            EmptyElement::at((count(place) + 0.5, 0.0)) + Text::new(HIDDEN, (0, -4), style(15, HPos::Center, VPos::Bottom))
        }))?;
        // Labels that do not fit beside each other stand in two rows.
        let room = 748.0 / places;
        let crowded = categories.iter().any(|label| width_of(label, 13.0) > room - 6.0);
        chart.draw_series(categories.iter().enumerate().map(|(place, label)| {
            let down = if crowded && place % 2 == 1 { 22 } else { 6 };
            EmptyElement::at((count(place) + 0.5, low)) + Text::new(label.clone(), (0, down), style(13, HPos::Center, VPos::Top))
        }))?;
        Ok(())
    })
}

/// Lines over categories in order, from zero.
pub(super) fn lines(categories: &[String], series: &[Series], chinese: bool) -> String {
    if categories.len() < 2 {
        return String::new();
    }
    picture((820, 300), |area| {
        let (low, high, step) = bounds(series.iter().flat_map(|series| series.values.iter().flatten().copied()));
        let last = count(categories.len() - 1);
        let mut chart = ChartBuilder::on(area)
            .margin(14)
            .margin_right(30)
            .set_label_area_size(LabelAreaPosition::Left, 64)
            .set_label_area_size(LabelAreaPosition::Bottom, 44)
            .build_cartesian_2d(0.0..last, low..high)?;
        let ticks = ticks(low, high, step);
        chart.draw_series(
            ticks.iter().map(|tick| PathElement::new(vec![(0.0, *tick), (last, *tick)], if *tick == 0.0 { INK } else { RULE })),
        )?;
        chart.draw_series(ticks.iter().map(|tick| {
            EmptyElement::at((0.0, *tick)) + Text::new(short(*tick, chinese), (-8, 0), style(13, HPos::Right, VPos::Center))
        }))?;
        for series in series {
            let known: Vec<(f64, f64)> =
                series.values.iter().enumerate().filter_map(|(place, value)| Some((count(place), (*value)?))).collect();
            chart.draw_series(LineSeries::new(known.iter().copied(), series.color.stroke_width(3)))?;
            chart.draw_series(known.iter().map(|point| Circle::new(*point, 4, series.color.filled())))?;
        }
        let room = 720.0 / count(categories.len());
        let crowded = categories.iter().any(|label| width_of(label, 13.0) > room - 6.0);
        chart.draw_series(categories.iter().enumerate().map(|(place, label)| {
            let down = if crowded && place % 2 == 1 { 22 } else { 6 };
            EmptyElement::at((count(place), low)) + Text::new(label.clone(), (0, down), style(13, HPos::Center, VPos::Top))
        }))?;
        Ok(())
    })
}

/// Lying bars, a pair for each step, the widest first: how many are left after each.
pub(super) fn funnel(steps: &[String], series: &[Series], chinese: bool) -> String {
    if steps.is_empty() {
        return String::new();
    }
    let places = count(steps.len());
    let height = 26 + 40 * u32::try_from(steps.len()).unwrap_or(1);
    let label_room = steps.iter().map(|step| width_of(step, 13.0)).fold(80.0_f64, f64::max).min(330.0) + 16.0;
    picture((820, height), |area| {
        let (_, high, _) = bounds(series.iter().flat_map(|series| series.values.iter().flatten().copied()));
        let scale = high * 1.18;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred pixels")]
        let left = label_room as u32;
        let mut chart = ChartBuilder::on(area)
            .margin(4)
            .set_label_area_size(LabelAreaPosition::Left, left)
            .build_cartesian_2d(0.0..scale, places..0.0)?;
        let thick = 0.76 / count(series.len());
        for (at, series) in series.iter().enumerate() {
            let top = 0.12 + thick * count(at);
            for (place, value) in series.values.iter().enumerate() {
                let Some(value) = *value else { continue };
                let top = count(place) + top;
                chart.draw_series([Rectangle::new([(0.0, top), (value, top + thick * 0.92)], series.color.filled())])?;
                let label = Text::new(short(value, chinese), (6, 0), style(12, HPos::Left, VPos::Center));
                chart.draw_series([EmptyElement::at((value, top + thick * 0.46)) + label])?;
            }
        }
        chart.draw_series(steps.iter().enumerate().map(|(place, label)| {
            EmptyElement::at((0.0, count(place) + 0.5)) + Text::new(label.clone(), (-8, 0), style(13, HPos::Right, VPos::Center))
        }))?;
        Ok(())
    })
}

fn ticks(low: f64, high: f64, step: f64) -> Vec<f64> {
    let mut ticks = Vec::new();
    let mut tick = low;
    while tick <= high + step / 2.0 && ticks.len() < 20 {
        // What is nearly nothing is nothing.
        ticks.push(if tick.abs() < step / 1000.0 { 0.0 } else { tick });
        tick += step;
    }
    ticks
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    //! Numbers and bounds; pictures are looked at by people.

    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(12_345.0, false), "12.35 k");
        assert_eq!(short(12_345.0, true), "1.23万");
        assert_eq!(short(-2_500_000.0, false), "-2.5 M");
        assert_eq!(short(0.0, true), "0");
        assert_eq!(short(3.0e8, true), "3亿");
    }

    #[test]
    fn bounds_are_round_and_hold_zero() {
        assert_eq!(bounds([3.0, 47.0].into_iter()), (0.0, 50.0, 10.0));
        assert_eq!(bounds([-30.0, 12.0].into_iter()), (-30.0, 20.0, 10.0));
        assert_eq!(bounds(std::iter::empty()), (0.0, 0.2, 0.2));
    }

    #[test]
    fn a_picture_stands_alone() {
        let series = [Series { color: AFTER, values: vec![Some(3.0), None] }];
        let svg = bars(&["一".to_owned(), "<b>".to_owned()], &series, true);
        assert!(svg.starts_with("<svg viewBox="), "{svg}");
        assert!(svg.contains("&lt;b&gt;"), "texts are escaped: {svg}");
        assert!(!svg.contains("<b>"));
    }
}
