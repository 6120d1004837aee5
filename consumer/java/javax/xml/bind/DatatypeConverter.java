package javax.xml.bind;

/** The one method of it that KCL 3.1.3 calls, when it logs a broken KPL aggregate; Java has it no more since 11 (see README.md). */
public final class DatatypeConverter {
    public static String printBase64Binary(byte[] data) {
        return java.util.Base64.getEncoder().encodeToString(data);
    }
}
