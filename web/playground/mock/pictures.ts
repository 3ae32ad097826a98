/** Moving stand-ins for cameras and screens, drawn on canvases. */
import type { MediaHandle } from "../../shared/call/model";

const BACKDROPS = ["#b9c9cf", "#cfc3b4", "#b7c4b0", "#c3b9cf", "#cfb9be", "#a9bccb"];
const CLOTHES = ["#31596b", "#7a4b3a", "#3f5f45", "#56467a", "#84495a", "#36507a"];

const made = new Map<string, MediaHandle>();

export function personPicture(index: number): MediaHandle {
  return picture(`person-${index}`, 640, 360, (drawing, at) => {
    const sway = Math.sin(at / 900 + index) * 6;
    drawing.fillStyle = BACKDROPS[index % BACKDROPS.length] ?? "#bbb";
    drawing.fillRect(0, 0, 640, 360);
    drawing.fillStyle = "rgb(255 255 255 / 35%)";
    drawing.fillRect(40 + (index % 3) * 150, 30, 130, 170);
    drawing.fillStyle = CLOTHES[index % CLOTHES.length] ?? "#444";
    drawing.beginPath();
    drawing.ellipse(320 + sway, 390, 150, 150, 0, 0, Math.PI * 2);
    drawing.fill();
    drawing.fillStyle = "#e3b893";
    drawing.fillRect(296 + sway, 215, 48, 50);
    drawing.beginPath();
    drawing.ellipse(320 + sway, 165, 62, 76, 0, 0, Math.PI * 2);
    drawing.fill();
    drawing.fillStyle = "#3a2b24";
    drawing.beginPath();
    drawing.ellipse(320 + sway, 122, 68, 44, 0, Math.PI, Math.PI * 2);
    drawing.fill();
  });
}

export function screenPicture(): MediaHandle {
  return picture("screen", 1920, 1080, (drawing, at) => {
    drawing.fillStyle = "#fbfbf9";
    drawing.fillRect(0, 0, 1920, 1080);
    drawing.fillStyle = "#e9edf0";
    drawing.fillRect(0, 0, 1920, 84);
    drawing.fillStyle = "#24323d";
    drawing.font = "600 64px 'Noto Sans CJK SC', sans-serif";
    drawing.fillText("√(x²) = |x|", 140, 260);
    drawing.strokeStyle = "#0f766e";
    drawing.lineWidth = 8;
    drawing.beginPath();
    for (let x = -700; x <= 700; x += 20) drawing.lineTo(960 + x, 860 - Math.abs(x) * 0.55);
    drawing.stroke();
    drawing.fillStyle = "#c42b3a";
    const x = Math.sin(at / 1200) * 600;
    drawing.beginPath();
    drawing.arc(960 + x, 860 - Math.abs(x) * 0.55, 20, 0, Math.PI * 2);
    drawing.fill();
  });
}

type Draw = (drawing: CanvasRenderingContext2D, atMs: number) => void;

function picture(key: string, width: number, height: number, draw: Draw): MediaHandle {
  const known = made.get(key);
  if (known !== undefined) return known;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const drawing = canvas.getContext("2d");
  if (drawing !== null) {
    draw(drawing, 0);
    setInterval(() => draw(drawing, performance.now()), 200);
  }
  const stream = canvas.captureStream(5);
  const handle: MediaHandle = {
    key,
    attach: (element) => {
      element.srcObject = stream;
      return () => {
        element.srcObject = null;
      };
    },
  };
  made.set(key, handle);
  return handle;
}
