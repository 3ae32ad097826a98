import { LineChart } from "echarts/charts";
import { GridComponent, TooltipComponent } from "echarts/components";
import { type ComposeOption, type ECharts, init, use } from "echarts/core";
import type { LineSeriesOption } from "echarts/charts";
import type { GridComponentOption, TooltipComponentOption } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";
import { SHOWN_S } from "../../shared/desk/line";

use([LineChart, GridComponent, TooltipComponent, CanvasRenderer]);

type Option = ComposeOption<LineSeriesOption | GridComponentOption | TooltipComponentOption>;

export interface CurveColours {
  readonly up: string;
  readonly down: string;
  readonly line: string;
  readonly text: string;
  readonly surface: string;
}

export interface CurveData {
  readonly nowMs: number;
  readonly up: readonly (readonly [number, number | null])[];
  readonly down: readonly (readonly [number, number | null])[];
}

/** One measure over the last two minutes, both directions. */
export class Curve {
  readonly #chart: ECharts;

  constructor(
    element: HTMLElement,
    private readonly names: { readonly up: string; readonly down: string },
    private readonly format: (value: number) => string,
    private readonly floor: number,
  ) {
    this.#chart = init(element, null, { renderer: "canvas" });
  }

  draw(data: CurveData, colours: CurveColours): void {
    const series = (name: string, colour: string, values: CurveData["up"]): LineSeriesOption => ({
      type: "line",
      name,
      data: values.map(([at, value]) => [at, value]),
      showSymbol: false,
      connectNulls: false,
      lineStyle: { width: 1.6, color: colour },
      itemStyle: { color: colour },
      emphasis: { disabled: true },
    });
    const option: Option = {
      animation: false,
      grid: { left: 4, right: 4, top: 6, bottom: 4 },
      xAxis: { type: "time", min: data.nowMs - SHOWN_S * 1000, max: data.nowMs, show: false },
      yAxis: {
        type: "value",
        min: 0,
        max: (extent: { max: number }) => Math.max(this.floor, extent.max * 1.15),
        splitNumber: 2,
        axisLabel: { show: false },
        splitLine: { lineStyle: { color: colours.line } },
      },
      tooltip: {
        trigger: "axis",
        renderMode: "richText",
        confine: true,
        backgroundColor: colours.surface,
        borderColor: colours.line,
        textStyle: { color: colours.text, fontSize: 12 },
        axisPointer: { lineStyle: { color: colours.line } },
        formatter: (points) => {
          const all = Array.isArray(points) ? points : [points];
          return all
            .map((point) => {
              const value = (point.value as readonly [number, number | null])[1];
              return `${point.seriesName ?? ""}  ${value === null ? "–" : this.format(value)}`;
            })
            .join("\n");
        },
      },
      series: [series(this.names.up, colours.up, data.up), series(this.names.down, colours.down, data.down)],
    };
    this.#chart.setOption(option, { notMerge: true, lazyUpdate: true });
  }

  resize(): void {
    this.#chart.resize();
  }

  close(): void {
    this.#chart.dispose();
  }
}
