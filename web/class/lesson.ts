/** A lesson that never ends: a board being written on and a soft hum, as one media stream. */
export class Lesson {
  readonly stream: MediaStream;
  readonly #canvas = document.createElement("canvas");
  readonly #sound = new AudioContext();
  readonly #timer: ReturnType<typeof setInterval>;
  #step = 0;

  constructor(private readonly title: string) {
    this.#canvas.width = 960;
    this.#canvas.height = 540;
    this.#draw();
    this.#timer = setInterval(() => this.#draw(), 200);
    this.stream = this.#canvas.captureStream(5);
    const loudness = this.#sound.createGain();
    loudness.gain.value = 0.05;
    const output = this.#sound.createMediaStreamDestination();
    const hum = this.#sound.createOscillator();
    hum.frequency.value = 220;
    hum.connect(loudness).connect(output);
    hum.start();
    for (const track of output.stream.getAudioTracks()) this.stream.addTrack(track);
  }

  /** Browsers keep sound asleep before the first tap. */
  wake(): void {
    void this.#sound.resume();
  }

  close(): void {
    clearInterval(this.#timer);
    void this.#sound.close();
  }

  #draw(): void {
    const context = this.#canvas.getContext("2d");
    if (context === null) return;
    this.#step = (this.#step + 1) % 200;
    context.fillStyle = "#1f4a3d";
    context.fillRect(0, 0, 960, 540);
    context.fillStyle = "#f4f1e4";
    context.font = "600 40px sans-serif";
    context.fillText(this.title, 60, 90);
    context.font = "500 64px serif";
    const lines = ["2/3 × 3/4 = 6/12", "6/12 = 1/2", "5/8 × 4/5 = 20/40 = 1/2"];
    let left = this.#step;
    lines.forEach((line, index) => {
      context.fillText(line.slice(0, Math.max(0, left)), 90, 210 + index * 110);
      left -= line.length;
    });
  }
}
